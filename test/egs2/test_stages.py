"""What the recipes share: egs2/mini_speech/stages.sh."""

import subprocess

import pytest
from factories import ROOT

STAGES = ROOT / "egs2/mini_speech/stages.sh"


@pytest.mark.parametrize(
    "cpu, answer",
    [
        ("AuthenticAMD\nflags: avx512f avx512_bf16", "true"),
        ("AuthenticAMD\nflags: avx512f", "false"),
        ("GenuineIntel\nflags: avx512f avx512_bf16 amx_bf16", "true"),
        ("GenuineIntel\nflags: avx512f avx512_bf16", "false"),
    ],
)
def test_bfloat16_where_it_is_faster(cpu, answer, tmp_path):
    (tmp_path / "cpuinfo").write_text(f"vendor_id: {cpu}\n")
    command = f'. "{STAGES}"; has_bf16 "{tmp_path}/cpuinfo"'
    run = subprocess.run(["bash", "-euc", command], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == (answer + "\n", "")
