// Walks a plan with a connected client, and prints one JSON line for each step:
//   {"list":"tools"} {"call":"name","args":{},"timeout":ms,"progress":true,"cancel_after":ms} {"prompt":…} {"read":uri}
//   {"complete":{…}} {"wait_tools_changed":ms} {"touch":file} {"sleep":ms}
import fs from 'node:fs';

const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));

async function step(client, s, { seen, call }) {
  if (s.list === 'tools') {
    const names = [];
    let cursor;
    do {
      const page = await client.listTools(cursor ? { cursor } : undefined);
      names.push(...page.tools.map((t) => t.name));
      cursor = page.nextCursor;
    } while (cursor);
    return { tools: names };
  }
  if (s.list === 'resources') return { resources: (await client.listResources()).resources.map((r) => r.uri) };
  if (s.list === 'templates') return { templates: (await client.listResourceTemplates()).resourceTemplates.map((r) => r.uriTemplate) };
  if (s.list === 'prompts') return { prompts: (await client.listPrompts()).prompts.map((p) => p.name) };
  if (s.prompt) return { prompt: await client.getPrompt({ name: s.prompt, arguments: s.args ?? {} }) };
  if (s.read) return { read: await client.readResource({ uri: s.read }) };
  if (s.complete) return { complete: await client.complete(s.complete) };
  if (s.call) {
    const progress = [], messages = [], options = {};
    if (s.progress) options.onprogress = (p) => { progress.push(p.progress); messages.push(p.message); };
    if (s.timeout) options.timeout = s.timeout;
    if (s.cancel_after) {
      const stop = new AbortController();
      options.signal = stop.signal;
      setTimeout(() => stop.abort('enough'), s.cancel_after);
    }
    const result = await call({ name: s.call, arguments: s.args ?? {} }, options);
    return { result, progress, messages };
  }
  if (s.wait_tools_changed) {
    const until = Date.now() + s.wait_tools_changed;
    while (!seen.toolsChanged && Date.now() < until) await sleep(10);
    return { toolsChanged: seen.toolsChanged };
  }
  if (s.touch) { fs.writeFileSync(s.touch, ''); return { touched: true }; }
  if (s.copy) { fs.copyFileSync(s.copy[0], s.copy[1] + '.tmp'); fs.renameSync(s.copy[1] + '.tmp', s.copy[1]); return { copied: true }; }
  await sleep(s.sleep ?? 0);
  return {};
}

export async function run(client, plan, tools) {
  for (const s of plan) {
    let out;
    try { out = await step(client, s, tools); } catch (e) { out = { error: String(e?.message ?? e), code: e?.code }; }
    console.log(JSON.stringify({ step: s, ...out }));
  }
}
