"""Runs MiniStack in this process with the project's fixes (see `fixes`), for loopback clients only.

    python launcher.py --port 4566 --state DIRECTORY [--functions-endpoint URL] [--account-concurrency N] [--without FIX[,FIX…]]

It owns how the emulator is configured: IAM enforced (`AUTH`), one port, nothing but the given directory written.
Lambda functions inherit this process's whole environment, so start it with a clean one (see `emulator.py`).
"""

import argparse
import importlib.metadata
import os
import pathlib
import sys
import tempfile

MINISTACK = "1.5.33"


def main():
    arguments = _arguments()
    found = importlib.metadata.version("ministack")
    if found != MINISTACK:
        raise SystemExit(f"the fixes are written for MiniStack {MINISTACK}, found {found}: run `make clean up`")
    _configure(arguments.port, arguments.state.resolve(), arguments.functions_endpoint, arguments.account_concurrency)

    import fixes  # only now: MiniStack reads its configuration when it is imported
    import index_ranges
    from ministack import app

    fixes.apply(without=arguments.without)
    index_ranges.install()
    sys.argv = ["ministack"]
    app.main()


def _arguments():
    parser = argparse.ArgumentParser(description="MiniStack with AWS's behaviour restored")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=pathlib.Path, required=True, help="a directory of its own")
    parser.add_argument("--functions-endpoint", help="where functions are told that AWS is; default: here")
    parser.add_argument("--account-concurrency", type=int, default=1000, help="functions that may run at once; a new account's: 10")
    parser.add_argument(
        "--without",
        type=lambda names: names.split(","),
        default=list(filter(None, os.environ.get("LOCAL_CLOUD_WITHOUT", "").split(","))),
        help="fixes to leave out; default: $LOCAL_CLOUD_WITHOUT",
    )
    return parser.parse_args()


def _configure(port, state, functions_endpoint, account_concurrency):
    temporary = state / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(temporary)
    os.environ.update(
        AUTH="true",
        AWS_ACCESS_KEY_ID="test",
        AWS_ENDPOINT_URL=functions_endpoint or f"http://127.0.0.1:{port}",
        AWS_SECRET_ACCESS_KEY="test",
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        HOME=str(state),
        IOT_MTLS_ENABLED="0",
        LAMBDA_ACCOUNT_CONCURRENCY=str(account_concurrency),
        MINISTACK_HOST="localhost",
        MINISTACK_REGION="us-east-1",
        S3_DATA_DIR=str(state / "s3"),
        SFTP_ENABLED="0",
        TMPDIR=str(temporary),
    )


if __name__ == "__main__":
    main()
