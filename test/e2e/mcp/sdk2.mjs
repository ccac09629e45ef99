// The official client, 2.x, in every mode. usage: MODE=legacy|auto|2026-07-28 node sdk2.mjs PLAN COMMAND [ARG…]
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { run } from './steps.mjs';

const [plan, command, ...args] = process.argv.slice(2);
const mode = process.env.MODE;
const negotiation = mode ? { versionNegotiation: { mode: /^\d/.test(mode) ? { pin: mode } : mode } } : {};
const seen = { toolsChanged: 0, logs: 0 };
const client = new Client({ name: 'sdk2', version: '1' }, { capabilities: {}, ...negotiation,
  listChanged: { tools: { onChanged: () => { seen.toolsChanged++; } } } });
await client.connect(new StdioClientTransport({ command, args, stderr: 'inherit', env: process.env }));
console.log(JSON.stringify({ negotiated: client.getNegotiatedProtocolVersion() }));
await run(client, JSON.parse(plan), { seen, call: (params, options) => client.callTool(params, options) });
await client.close();
