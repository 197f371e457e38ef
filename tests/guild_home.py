"""Runs in a Guild home, written as Guild 0.9 writes them."""

from __future__ import annotations

import pytest

SECRET = "CANARY-7c1f2d99"
OP = "op-cmd: {cmd-args: ['${python_exe}', -um, guild.op_main, train, --, __flag_args__], cmd-flags: {lr: {}}}"


@pytest.fixture
def guild_run(tmp_path):
    """Writes a run of a Guild home, as Guild 0.9 does, and returns its directory."""

    def write(number: int = 1, opref: str = "guildfile:/p/guild.yml 3a62 m train", **attrs: str):
        key = f"{number:032x}"
        directory = tmp_path / "home/runs" / key
        (directory / ".guild/attrs").mkdir(parents=True)
        (directory / "train.py").write_text("lr = 0.1\nprint(f'loss: {lr}')\n")
        (directory / "model.txt").write_text("weights\n")
        guild = directory / ".guild"
        (guild / "opref").write_text(opref)
        (guild / "output").write_text("loss: 0.2\n")
        (guild / "manifest").write_text("s train.py 93026f77fa151530eacbcb48718bcfb5500ec8b4 train.py\n")
        told = {
            "cmd": "[python, -um, guild.op_main, train]", "flags": "{lr: 0.2}", "user_flags": "{lr: 0.2}", "id": key,
            "initialized": 1795973642744128, "started": 1795973642854662, "stopped": 1795973644282970, "exit_status": 0,
            "op": OP,
            "env": f"AWS_SECRET_ACCESS_KEY: {SECRET}\n", "host": "vm", "user": "ann", "label": "lr=0.2",
            "platform": "{uname: 'Linux vm 6.1', python_version: '3.11.7 (main)'}",
            "pip_freeze": f"[numpy==1.26.4, 'x @ git+https://{SECRET}@host/x']", **attrs,
        }  # fmt: skip
        for name, text in told.items():
            (guild / "attrs" / name).write_text(f"{text}\n")
        return directory

    return write
