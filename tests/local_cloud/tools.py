"""What the local cloud runs with: virtual environments from lock files, a clean environment, progress on the terminal."""

import concurrent.futures
import contextlib
import fcntl
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LOCAL = ROOT / ".local"
# The virtual environments in `.local`, `venv-NAME`, by their lock files.
ENVIRONMENTS = {
    "uv": HERE / "requirements-uv.txt",  # installs the others: what takes uv seconds takes pip minutes
    "ministack": HERE / "requirements-ministack.txt",
    "tools": HERE / "requirements-tools.txt",
    "canary": ROOT / "tests" / "canary" / "requirements.txt",
    "contract": ROOT / "tests" / "contract" / "deployed" / "requirements.txt",
    "example": ROOT / "examples" / "python" / "requirements.txt",
    "examples": ROOT / "tests" / "examples" / "requirements.txt",
    "release": ROOT / "release" / "requirements.txt",
    "scan": ROOT / "tests" / "scan" / "requirements.txt",
    "bench": ROOT / "tests" / "bench" / "peers" / "python" / "requirements.txt",
}
TARGETS = {
    "x86_64": ("x86_64", "x86_64-unknown-linux-gnu"),
    "aarch64": ("arm64", "aarch64-unknown-linux-gnu"),
    "arm64": ("arm64", "aarch64-unknown-linux-gnu"),
}


class Failed(Exception):
    """Something that the person at the terminal must know: what failed, and what to do."""

    def __init__(self, what, advice="", log=None):
        super().__init__(what)
        self.what, self.advice, self.log = what, advice, log


@contextlib.contextmanager
def step(what, shows_more=False):
    """Shows what is being done, and how long it took; `shows_more` if what is done writes to the terminal itself."""
    print(f"  {what} … ", end="\n" if shows_more else "", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(f"  {what} failed" if shows_more else "failed", flush=True)
        raise
    seconds = f"{time.monotonic() - started:.1f} s"
    print(f"  {what} {seconds}" if shows_more else seconds, flush=True)


def host():
    """This machine's architecture as Lambda and as Rust name it."""
    found = TARGETS.get(platform.machine())
    if sys.platform != "linux" or not found:
        raise Failed(
            f"the functions cannot run on this machine ({sys.platform}, {platform.machine()})",
            "Lambda's binaries are for Linux on x86_64 or arm64: use such a machine, or a container of it.",
        )
    return found


def python(name):
    """The interpreter of a virtual environment."""
    return LOCAL / f"venv-{name}" / "bin" / "python"


def setup(*names):
    """Makes the virtual environments that are missing or whose lock file has changed."""
    for name in names:
        if not _is_current(name):
            with step(f"Python packages for {name}"):
                _make(name)


@contextlib.contextmanager
def setup_beside(name):
    """Makes a virtual environment while something else is done, and is left when both are."""
    if _is_current(name):
        yield
        return
    with concurrent.futures.ThreadPoolExecutor() as threads:
        making = threads.submit(_make, name)
        yield
        with step(f"Python packages for {name}, started earlier"):
            making.result()


def _make(name):
    """Makes a virtual environment unless somebody else, in another thread or process, has just made it."""
    with open(logs() / "setup.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for each in ("uv", name):
            if not _is_current(each):
                _install(each)


def _is_current(name):
    made_from = LOCAL / f"venv-{name}" / "made-from"
    return made_from.exists() and made_from.read_text() == _digest(name)


def _digest(name):
    return hashlib.sha256(ENVIRONMENTS[name].read_bytes()).hexdigest()


def _install(name):
    environment, log = LOCAL / f"venv-{name}", logs() / f"setup-{name}.log"
    shutil.rmtree(environment, ignore_errors=True)
    if name == "uv":
        run([sys.executable, "-m", "venv", environment], log, advice="Debian and Ubuntu: apt install python3-venv")
        installer = [python(name), "-m", "pip", "install"]
    else:
        uv = LOCAL / "venv-uv" / "bin" / "uv"
        run([uv, "venv", "--python", sys.executable, environment], log, _uv_environment())
        # Compiled once: an emulator starts for most of its tests, and would compile itself each time.
        installer = [uv, "pip", "install", "--compile-bytecode", "--python", python(name)]
    # The lock is complete; an older pip would look for extras beside their pinned packages.
    exactly = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", ENVIRONMENTS[name]]
    run([*installer, *exactly], log, _uv_environment(), advice="It needs the network (PyPI) once.")
    (environment / "made-from").write_text(_digest(name))


def _uv_environment():
    return clean_environment(UV_CACHE_DIR=str(LOCAL / "uv-cache"), UV_PYTHON_DOWNLOADS="never", UV_NO_CONFIG="1")


def logs():
    """Where the logs of commands go that belong to no instance."""
    directory = LOCAL / "log"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def run(command, log, environment=None, advice=""):
    """Runs a command with its output in `log`."""
    with open(log, "ab") as output:
        found = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env=environment or clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if found.returncode:
        raise Failed(f"`{_shown(command)}` ended with exit code {found.returncode}", advice, log)


def _shown(command):
    first, *rest = (str(part) for part in command)
    return " ".join([pathlib.Path(first).name, *rest[:3]])


def clean_environment(**more):
    """Our environment with the tools on the path, without any AWS account of the person at the terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_", "PYTHON"))}
    return {
        **kept,
        "PATH": f"{LOCAL / 'venv-tools' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SAM_CLI_TELEMETRY": "0",
        **more,
    }
