// Holds every message that the server sent (see wire.mjs) against the JSON Schema of its era, with ajv: a validator that is
// not ours. usage: node validate.mjs SCHEMA-FOLDER LOG…    Exits 1 and says what is wrong with which message.
import fs from 'node:fs';
import Ajv from 'ajv';
import Ajv2020 from 'ajv/dist/2020.js';

const [folder, ...logs] = process.argv.slice(2);
const MODERN = '2026-07-28';
const known = ['2025-06-18', '2025-11-25', MODERN];
const schemas = {};

function era(version) {
  const name = known.includes(version) ? version : '2025-06-18';
  if (!schemas[name]) {
    const text = JSON.parse(fs.readFileSync(`${folder}/schema-${name}.json`, 'utf8'));
    const old = text.$schema.includes('draft-07');
    const ajv = new (old ? Ajv : Ajv2020)({ strict: false, allErrors: false, validateFormats: false });
    ajv.addSchema(text, 'mcp');
    schemas[name] = { defs: text.$defs ?? text.definitions, at: (d) => ajv.getSchema(`mcp#/${old ? 'definitions' : '$defs'}/${d}`) };
  }
  return schemas[name];
}

// The definition of the result of each method, where its name is not `<Method>Result`.
const results = {
  initialize: 'InitializeResult', ping: 'EmptyResult', 'server/discover': 'DiscoverResult', 'tools/list': 'ListToolsResult',
  'tools/call': 'CallToolResult', 'prompts/list': 'ListPromptsResult', 'prompts/get': 'GetPromptResult',
  'resources/list': 'ListResourcesResult', 'resources/templates/list': 'ListResourceTemplatesResult',
  'resources/read': 'ReadResourceResult', 'completion/complete': 'CompleteResult', 'logging/setLevel': 'EmptyResult',
  'resources/subscribe': 'EmptyResult', 'resources/unsubscribe': 'EmptyResult',
};
const notifications = {
  'notifications/progress': 'ProgressNotification', 'notifications/message': 'LoggingMessageNotification',
  'notifications/cancelled': 'CancelledNotification', 'notifications/tools/list_changed': 'ToolListChangedNotification',
  'notifications/prompts/list_changed': 'PromptListChangedNotification',
  'notifications/resources/list_changed': 'ResourceListChangedNotification',
  'notifications/resources/updated': 'ResourceUpdatedNotification',
  'notifications/subscriptions/acknowledged': 'SubscriptionsAcknowledgedNotification',
};

let checked = 0, failed = 0;
const kinds = {};

function check(eraName, definition, value, what) {
  const schema = era(eraName);
  if (!schema.defs[definition]) return false;
  const validate = schema.at(definition);
  checked++;
  kinds[`${eraName} ${definition}`] = (kinds[`${eraName} ${definition}`] ?? 0) + 1;
  if (!validate(value)) {
    failed++;
    console.error(`${what}: not a ${definition} of ${eraName}: ${JSON.stringify(validate.errors.slice(0, 3))}\n  ${JSON.stringify(value).slice(0, 600)}`);
  }
  return true;
}

for (const log of logs) {
  const sessions = {};
  for (const text of fs.readFileSync(log, 'utf8').split('\n').filter(Boolean)) {
    const { pid, dir, line } = JSON.parse(text);
    const s = (sessions[pid] ??= { requests: new Map(), legacy: null });
    let m;
    try { m = JSON.parse(line); } catch { if (dir === '<') { failed++; console.error(`the server sent no JSON: ${line.slice(0, 200)}`); } continue; }
    if (dir === '>') {
      if (m.id !== undefined) {
        const modern = m.params?._meta?.['io.modelcontextprotocol/protocolVersion'];
        s.requests.set(JSON.stringify(m.id), { method: m.method, era: modern ? (known.includes(modern) ? modern : MODERN) : s.legacy });
        if (m.method === 'subscriptions/listen') s.modern = true;
        if (modern) s.modern = true;
      }
      continue;
    }
    if (m.method) {
      const eraName = m.params?._meta?.['io.modelcontextprotocol/subscriptionId'] !== undefined || (s.modern && !s.legacy) ? MODERN : s.legacy ?? '2025-11-25';
      if (m.method.startsWith('notifications/plexus/')) continue;
      check(eraName, 'JSONRPCNotification', m, m.method);
      if (!notifications[m.method] || !check(eraName, notifications[m.method], m, m.method)) { failed++; console.error(`unknown notification ${m.method} in ${eraName}`); }
      continue;
    }
    const request = s.requests.get(JSON.stringify(m.id));
    if (m.error) {
      const eraName = request?.era ?? s.legacy ?? MODERN;
      check(eraName, era(eraName).defs.JSONRPCErrorResponse ? 'JSONRPCErrorResponse' : 'JSONRPCError', m, `error of ${request?.method}`);
      continue;
    }
    if (!request) { failed++; console.error(`an answer to nothing: ${line.slice(0, 200)}`); continue; }
    if (request.method === 'initialize') { s.legacy = m.result?.protocolVersion; request.era = s.legacy; }
    const eraName = request.era ?? s.legacy ?? MODERN;
    check(eraName, era(eraName).defs.JSONRPCResultResponse ? 'JSONRPCResultResponse' : 'JSONRPCResponse', m, request.method);
    if (request.method.startsWith('plexus/')) continue;
    const definition = m.result?.resultType === 'input_required' ? 'InputRequiredResult' : request.method === 'subscriptions/listen' ? 'SubscriptionsListenResult' : results[request.method];
    if (!definition || !check(eraName, definition, m.result, request.method)) {
      if (request.method !== 'subscriptions/listen') { failed++; console.error(`no definition for the result of ${request.method} in ${eraName}`); }
    }
  }
}
for (const kind of Object.keys(kinds).sort()) console.log(`${String(kinds[kind]).padStart(6)} ${kind}`);
console.log(`${checked} checks, ${failed} failed`);
process.exit(failed || !checked ? 1 : 0);
