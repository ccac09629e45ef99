// The official SDK, 1.x: what today's agents are built on. usage: node sdk1.mjs PLAN COMMAND [ARG…]
// PLAN is JSON: see steps.mjs.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { CallToolResultSchema, LoggingMessageNotificationSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { run } from './steps.mjs';

const [plan, command, ...args] = process.argv.slice(2);
const client = new Client({ name: 'sdk1', version: '1' }, { capabilities: {} });
const seen = { toolsChanged: 0, logs: 0 };
client.setNotificationHandler(ToolListChangedNotificationSchema, () => { seen.toolsChanged++; });
client.setNotificationHandler(LoggingMessageNotificationSchema, () => { seen.logs++; });
await client.connect(new StdioClientTransport({ command, args, stderr: 'inherit', env: process.env }));
await run(client, JSON.parse(plan), { seen, call: (params, options) => client.callTool(params, CallToolResultSchema, options) });
await client.close();
