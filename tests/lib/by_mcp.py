"""The cube asked by the client of the Model Context Protocol that is on PyPI, as an agent's program asks it. For tests/run --all: it is installed first."""
import json
import os
import subprocess
import sys

PACKAGES = ('mcp==2.3.0',)
CLIENT = """
import asyncio, json, sys
import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

async def ask(url, token):
    seen = []
    for mode in ('legacy', 'auto'):  # the handshake of initialize, and what begins with a question that it is the answer to
        async with httpx2.AsyncClient(headers={'Authorization': 'Bearer ' + token}) as http, Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            tools = await client.list_tools()
            good = await client.call_tool('query_metric', {'name': 'errors', 'from': '2026-11-01', 'by': 'severity'})
            bad = await client.call_tool('explain_change', {'name': 'duration_p95'})
            seen.append([mode, client.protocol_version, [tool.name for tool in tools.tools], good.structured_content, [bad.is_error, bad.content[0].text]])
    print(json.dumps(seen))

asyncio.run(ask(*sys.argv[1:]))
"""


def ask(url, token):
    """What it saw: for each way to connect the revision, the tools, the rows of a good question, and what is said of a bad one."""
    subprocess.run([sys.executable, '-m', 'venv', 'mcp'], check=True)
    subprocess.run(['mcp/bin/pip', '-q', '--disable-pip-version-check', 'install', *PACKAGES], check=True, stdout=sys.stderr)
    done = subprocess.run([os.path.abspath('mcp/bin/python'), '-c', CLIENT, url, token], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)
