// A tap between an MCP client and the command it starts: every line in both directions goes into a log, as
// {"pid","dir":">"|"<","line"}. usage: node wire.mjs LOG COMMAND [ARG…]
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import readline from 'node:readline';

const [log, command, ...args] = process.argv.slice(2);
const note = (dir, line) => fs.appendFileSync(log, JSON.stringify({ pid: process.pid, dir, line }) + '\n');
const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
const lines = (stream, dir, to) =>
  readline.createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
    note(dir, line);
    to.write(line + '\n');
  });
lines(process.stdin, '>', child.stdin).on('close', () => child.stdin.end());
lines(child.stdout, '<', process.stdout);
child.on('exit', (code) => process.exit(code ?? 1));
process.on('SIGTERM', () => child.kill('SIGTERM'));
