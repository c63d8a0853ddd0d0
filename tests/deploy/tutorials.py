"""The command blocks of docs/deploy-*.md, each run as a script from the repository's root.

Programs of clouds, and those that would change this machine, are stubs on the PATH: they check words against what
those programs know, and whether files that are named are there. `make` is told to say what it would do.
"""

import pathlib
import re

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What the tutorials may call, with the words that may follow; a stub fails at anything else.
KNOWN = {
    "heroku": {"create", "stack:set", "addons:create", "config:set", "config:unset", "container:login", "container:release",
               "logs", "open", "ps:scale", "ps:type", "apps:info"},
    "docker": {"build", "run", "tag", "push", "stop", "login", "volume"},
    "aws": {"cloudformation deploy", "cloudformation describe-stacks", "secretsmanager get-secret-value",
            "elasticbeanstalk create-application", "elasticbeanstalk create-application-version",
            "elasticbeanstalk create-environment", "elasticbeanstalk describe-environments", "s3 cp", "ecr get-login-password"},
    "kubectl": {"apply", "create", "get", "rollout", "wait", "logs", "describe"},
    "helm": {"upgrade", "repo"},
    "git": {"push"},
    "systemctl": {"enable", "status", "restart", "reload", "stop", "edit"},
    "journalctl": {"-u"},
    "apt-get": {"install"},
}


def blocks(page):
    return BLOCK.findall(pathlib.Path(page).read_text(encoding="utf-8"))


def write_stubs(folder):
    make = folder / "make"
    make.write_text('#!/bin/sh\nexec /usr/bin/make -n -s "$@"\n')
    make.chmod(0o755)
    sudo = folder / "sudo"
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)
    for name, words in KNOWN.items():
        depth = max(word.count(" ") for word in words) + 1
        listed = "|".join(f'"{word}"' for word in sorted(words))
        stub = folder / name
        stub.write_text(f"""#!/usr/bin/env bash
# A file that is named must be there; options have no blanks that were forgotten to quote.
printf '%s\\n' "{name} $*" >>"$STUB_LOG"
case "${{*:1:{depth}}}" in {listed}) ;; *) echo "{name}: no such command: $*" >&2; exit 64 ;; esac
for word in "$@"; do
  case $word in
    file://*) [[ -e ${{word#file://}} ]] || {{ echo "{name}: no file $word" >&2; exit 66; }} ;;
    deploy/*) [[ -e $word ]] || {{ echo "{name}: no file $word" >&2; exit 66; }} ;;
    *'<'*|*'>'*) echo "{name}: a place to fill in: $word" >&2; exit 65 ;;
  esac
done
""")
        stub.chmod(0o755)
