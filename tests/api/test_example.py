"""The program in docs/api.md, run as it is there."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from eth_account import Account

from dao.chain.contracts import Token
from tests.api.stage import LIMIT, Stage

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
(PROGRAM,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


async def test_example__a_member_without_ether__delegates(stage: Stage, tmp_path: Path) -> None:
    who = stage.members[0]
    keystore = tmp_path / "member.json"
    keystore.write_text(json.dumps(Account.encrypt(who._key.secret, "secret", iterations=2)))
    async with stage.open() as running, stage.network.chain() as chain:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM),
            env={**os.environ, "KEYSTORE": str(keystore), "PASSWORD": "secret", "API": running.url},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await asyncio.wait_for(program.communicate(), LIMIT)
        assert program.returncode == 0
        assert said.decode().splitlines()[1].startswith("mined 0x")
        assert await Token(chain).delegate_of(who.address, chain.head()) == who.address
