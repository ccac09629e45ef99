// node gqlmock.mjs: a GraphQL server over GitHub's own schema: real validation errors, made-up data, pages that have cursors.
// Prints its port. Connections hold 120 nodes and, like GitHub's, want `first` from 1 to 100.
import fs from 'node:fs';
import http from 'node:http';
import { buildSchema, execute, getNamedType, getNullableType, isAbstractType, isEnumType, isListType, isScalarType, parse, validate } from 'graphql';

const TOTAL = 120;
const file = new URL('node_modules/@octokit/graphql-schema/schema.graphql', import.meta.url);
const schema = buildSchema(fs.readFileSync(file, 'utf8'), { assumeValid: true });

const builtIn = { Int: 1, Float: 1.5, Boolean: false, ID: 'id' };
const concrete = { RepositoryOwner: 'Organization', Actor: 'User', ProjectV2ItemContent: 'Issue', ProjectV2ItemFieldValue: 'ProjectV2ItemFieldSingleSelectValue', ProjectV2FieldConfiguration: 'ProjectV2SingleSelectField' };

function scalar(type, name) {
  if (isEnumType(type)) return type.getValues()[0].value;
  if (type.name in builtIn) return builtIn[type.name];
  return type.name === 'String' ? name : /date/i.test(type.name) ? '2026-01-02T03:04:05Z' : /int/i.test(type.name) ? '42' : `https://example.com/${name}`;
}

// GitHub wants to know how many, but not of one who only counts.
function connection({ first, after }, name) {
  const start = after ? Number(after) : 0;
  const n = Math.min(first ?? 0, TOTAL - start);
  const nodes = () => {
    if (!(first >= 1 && first <= 100)) throw Object.assign(new Error(`You must provide a \`first\` value of 1 to 100 to paginate the \`${name}\` connection.`), { extensions: { type: 'EXCESSIVE_PAGINATION' } });
    return Array.from({ length: n }, (_, i) => ({ number: start + i + 1 }));
  };
  return { nodes, totalCount: TOTAL, pageInfo: { hasNextPage: start + n < TOTAL, endCursor: String(start + n) } };
}

function fieldResolver(parent, args, _context, info) {
  if (parent && info.fieldName in parent) return info.fieldName === 'nodes' ? parent.nodes() : parent[info.fieldName];
  const type = getNullableType(info.returnType);
  if (type.name?.endsWith('Connection')) return connection(args, info.fieldName);
  if (args.number === 404 || args.name === 'missing') {
    throw Object.assign(new Error(`Could not resolve to a ${type.name}.`), { extensions: { type: 'NOT_FOUND' } });
  }
  const named = getNamedType(type);
  const value = isScalarType(named) || isEnumType(named) ? scalar(named, info.fieldName) : {};
  return isListType(type) ? [value] : value;
}

const typeResolver = (_value, _context, _info, type) => (isAbstractType(type) && concrete[type.name]) || schema.getPossibleTypes(type)[0].name;

// GitHub puts `type` beside the message.
const shown = (error) => ({ ...(error.originalError?.extensions ?? {}), path: error.path, locations: error.locations, message: error.message });

async function answer(text) {
  let document;
  const { query, variables } = JSON.parse(text);
  try {
    document = parse(query);
  } catch (error) {
    return { errors: [shown(error)] };
  }
  const errors = validate(schema, document);
  if (errors.length) return { errors: errors.map(shown) };
  const result = await execute({ schema, document, variableValues: variables, fieldResolver, typeResolver });
  return { data: result.data, ...(result.errors && { errors: result.errors.map(shown) }) };
}

const server = http.createServer((request, response) => {
  let text = '';
  request.on('data', (piece) => { text += piece; });
  request.on('end', async () => {
    const body = JSON.stringify(await answer(text));
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
