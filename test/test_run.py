import os
import subprocess
import sys

import pytest
from factories import ROOT

from espnet_uniwav import run
from espnet_uniwav.cli.process import MANY_SPINS, SPINS

SHOW = "import sys; print(__name__, sys.argv)"


def call(*args, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "espnet_uniwav.run", *map(str, args)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def test_code():
    assert call("-c", SHOW, "a", "--b").stdout == "__main__ ['-c', 'a', '--b']\n"


def test_script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SHOW)
    expected = f"__main__ {[str(path), 'a', '-m']}\n"
    assert call(path, "a", "-m").stdout == expected


def test_module_with_main(tmp_path):
    path = tmp_path / "tool.py"
    path.write_text(f"def main():\n    {SHOW}\n    return 3\n")
    result = call("-m", "tool", "a", cwd=tmp_path)
    assert result.stdout == f"tool {[str(path), 'a']}\n"
    assert result.returncode == 3


def test_module_without_main(tmp_path):
    path = tmp_path / "tool.py"
    path.write_text(f"if __name__ == '__main__':\n    {SHOW}\n")
    result = call("-m", "tool", "a", cwd=tmp_path)
    assert result.stdout == f"__main__ {[str(path), 'a']}\n"


def test_exit_status_of_a_script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text("raise SystemExit(5)")
    assert call(path).returncode == 5


def test_registers_without_importing_anything_big():
    code = (
        "import sys; "
        "print([type(f).__name__ for f in sys.meta_path].count('_AfterImport')); "
        "print({'torch', 'espnet2', 's3prl'} & set(sys.modules))"
    )
    assert call("-c", code).stdout == "1\nset()\n"


@pytest.mark.parametrize(
    "environment, expected",
    (
        ({}, str(MANY_SPINS)),
        ({SPINS: "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, "None"),
    ),
)
def test_threads_wait_briefly(monkeypatch, environment, expected):
    for name in (SPINS, "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    code = f"import os; print(os.environ.get({SPINS!r}))"
    assert call("-c", code, **environment).stdout == f"{expected}\n"


@pytest.mark.integration
def test_stock_espnet_shows_its_own_output_alone():
    pytest.importorskip("espnet2")
    shown = call("-m", "espnet2.bin.ssl_train", "--help")
    assert shown.stdout.startswith("usage: ssl_train.py")
    assert "{wav2vec_cnn,default,uniwav}" in shown.stdout
    (line,) = shown.stderr.splitlines()
    assert line.endswith("ssl_train.py --help")


@pytest.mark.integration
def test_stock_s3prl_knows_our_upstreams():
    pytest.importorskip("s3prl")
    shown = call("-m", "s3prl.run_downstream", "--help")
    names = "'uniwav_local', 'uniwav_random_local', 'uniwav_url'"
    assert names in " ".join(shown.stdout.split())
    assert "set_audio_backend" not in shown.stderr


@pytest.mark.parametrize("argv", ([], ["--help"], ["-x"], ["-m"]))
def test_usage(argv):
    with pytest.raises(SystemExit, match=r"usage: python -m espnet_uniwav.run \(-m"):
        run.main(argv)


def test_unknown_module_is_named():
    with pytest.raises(SystemExit, match="no module named 'espnet_unknown'"):
        run.main(["-m", "espnet_unknown"])


REGISTER = "from espnet_uniwav import plugin\n\nplugin.register()\n"
WORKER = """
import multiprocessing

def work(queue):
    from espnet2.tasks.ssl import encoder_choices
    queue.put(encoder_choices.get_class("uniwav").__name__)

def main():
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=work, args=(queue,))
    process.start()
    process.join()
    print(queue.get(timeout=5))

if __name__ == "__main__":
    main()
"""


@pytest.mark.integration
@pytest.mark.parametrize("how", ("module", "script"))
def test_spawned_worker_is_registered(tmp_path, how):
    """A script that spawns says so itself; a module needs to do nothing."""
    code = WORKER if how == "module" else REGISTER + WORKER
    (tmp_path / "spawns.py").write_text(code)
    args = ["spawns.py"] if how == "script" else ["-m", "spawns"]
    result = call(*args, cwd=tmp_path)
    assert result.stdout.splitlines()[-1:] == ["UniWavEncoder"], result.stderr


def test_a_script_imports_its_neighbours(tmp_path):
    (tmp_path / "neighbour.py").write_text("print('imported')")
    (tmp_path / "script.py").write_text("import neighbour")
    assert call(tmp_path / "script.py").stdout == "imported\n"
