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


def test_cpu_seconds_of_what_succeeds_fails_and_is_killed(tmp_path):
    """Output stays where it went, and a line is added for each run."""
    busy = "import sys; sum(range(3_000_000)); print('out'); sys.exit(int(sys.argv[1]))"
    killed = "import os; sum(range(3_000_000)); os.kill(os.getpid(), 15)"
    command = f"""
        . "{STAGES}"
        with_cpu_seconds "{tmp_path}" python3 -c "{busy}" 0
        with_cpu_seconds "{tmp_path}" python3 -c "{busy}" 3 || echo failed $?
        with_cpu_seconds "{tmp_path}" python3 -c "{killed}" || echo failed $?"""
    run = subprocess.run(["bash", "-euc", command], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("out\nout\nfailed 3\nfailed 143\n", "")
    lines = [line.split() for line in (tmp_path / "cpu_seconds").open()]
    assert len(lines) == 3
    assert all(0.01 < float(user) + float(system) < 60 for _, user, system in lines)
