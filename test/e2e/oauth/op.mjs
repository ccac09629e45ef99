// A certified OAuth and OpenID provider (oidc-provider) on loopback, and an API that looks at its tokens, for tests that log in.
//
//   node op.mjs '{"keys": "/folder", "access_ttl": 5, "refresh_ttl": 3600, "grace_ms": 0, "device_ttl": 60}'
//
// Prints one line when it is ready: {"issuer", "api"}. Ports are the kernel's choice. Keys of clients that sign (rs.pem, es.pem, sa.pem) are
// made in the folder `keys`.
//   - Refresh tokens are rotated at every use; one that is used again revokes the whole family (RFC 9700 section 4.14.2). With grace_ms the old one
//     may be used again for that long.
//   - GET  ISSUER/_test/log    what happened: {"tokens": [each token request], "authorizations", "refreshes", "revoked_families", "revocations", "issued": [each token], …}
//   - POST ISSUER/_test/fail   {"times": 3, "status": 503, "headers": {…}}: the next token requests are answered so, before the provider sees them;
//     status 0: not at all, the connection is closed
//   - POST ISSUER/_test/gate   {"at": "before"}: token requests wait before the provider sees them; "after": its answers wait; null: they go on, or with
//     "drop" their connections are closed. "skip": so many pass it first (a login's)
//   - POST ISSUER/_test/end    ["AccessToken", "RefreshToken"]: the provider forgets its tokens of these kinds
//   - POST ISSUER/_test/options  {"expires_in": 2}: from now on. expires_in is what answers say of a token's life, instead of access_ttl
//   - ANY  API/…               401 without a token of this provider's that lives; else 200 with whose it is
import * as http from 'node:http';
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as jose from 'jose';
import { Provider, errors } from 'oidc-provider';

const options = { access_ttl: 5, refresh_ttl: 3600, grace_ms: 0, device_ttl: 60, ...JSON.parse(process.argv[2] ?? '{}') };
const CODE = 'authorization_code', REFRESH = 'refresh_token', CLIENT = 'client_credentials';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code', BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const listening = server => new Promise(done => server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`)));
const handlers = {};
const issuer = await listening(http.createServer((req, res) => handlers.issuer(req, res)));
const api = await listening(http.createServer((req, res) => handlers.api(req, res)));

// ---- keys ----
function makeKey(name, kind) {
  const { privateKey, publicKey } = kind === 'RS256' ? crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
    : crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const type = kind === 'ES256' && name === 'es' ? 'sec1' : 'pkcs8'; // both forms of PEM occur
  fs.writeFileSync(`${options.keys}/${name}.pem`, privateKey.export({ type, format: 'pem' }), { mode: 0o600 });
  return { ...publicKey.export({ format: 'jwk' }), kid: name, alg: kind, use: 'sig' };
}
const keys = { rs: makeKey('rs', 'RS256'), es: makeKey('es', 'ES256'), sa: makeKey('sa', 'RS256') };

// ---- clients ----
const native = { application_type: 'native', redirect_uris: ['http://127.0.0.1/cb'], grant_types: [CODE, REFRESH, DEVICE] };
const service = { redirect_uris: [], response_types: [], grant_types: [CLIENT] };
const clients = [
  { client_id: 'basic', client_secret: 'basic:secret/ +%', token_endpoint_auth_method: 'client_secret_basic', ...native },
  { client_id: 'post', client_secret: 'post-secret-text', token_endpoint_auth_method: 'client_secret_post', ...native },
  { client_id: 'public', token_endpoint_auth_method: 'none', ...native },
  { client_id: 'anypath', token_endpoint_auth_method: 'none', ...native },
  { client_id: 'signer', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [keys.es] }, token_endpoint_auth_signing_alg: 'ES256', ...native },
  { client_id: 'device', token_endpoint_auth_method: 'none', ...native, redirect_uris: [], response_types: [], grant_types: [DEVICE, REFRESH] },
  { client_id: 'cc-basic', client_secret: 'cc:secret/ +%', token_endpoint_auth_method: 'client_secret_basic', ...service },
  { client_id: 'cc-post', client_secret: 'cc-post-secret', token_endpoint_auth_method: 'client_secret_post', ...service },
  { client_id: 'cc-rs', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [keys.rs] }, token_endpoint_auth_signing_alg: 'RS256', ...service },
  { client_id: 'cc-es', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [keys.es] }, token_endpoint_auth_signing_alg: 'ES256', ...service },
  { client_id: 'sa', token_endpoint_auth_method: 'none', ...service, grant_types: [BEARER] },
];

// ---- the provider ----
const provider = new Provider(issuer, {
  clients,
  clientBasedCORS: () => false,
  claims: { openid: ['sub'], profile: ['preferred_username'] },
  scopes: ['openid', 'offline_access', 'profile', 'api:read', 'api:write'],
  features: {
    devInteractions: { enabled: true }, clientCredentials: { enabled: true }, deviceFlow: { enabled: true }, revocation: { enabled: true },
    resourceIndicators: {
      enabled: true, defaultResource: () => undefined, useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => ({ scope: 'api:read api:write', audience: resource, accessTokenTTL: options.access_ttl, accessTokenFormat: 'opaque' }),
    },
  },
  pkce: { required: () => true },
  rotateRefreshToken: () => true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed(REFRESH),
  ttl: {
    AccessToken: () => options.access_ttl, ClientCredentials: () => options.access_ttl, RefreshToken: () => options.refresh_ttl,
    AuthorizationCode: 60, DeviceCode: options.device_ttl, IdToken: 60, Session: 600, Interaction: 600, Grant: 86400,
  },
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, preferred_username: `${id}@example.test` }) }),
  cookies: { keys: ['of no worth'] },
});

const allowed = provider.Client.prototype.redirectUriAllowed;
provider.Client.prototype.redirectUriAllowed = function (uri) { // some providers look at the host alone
  return this.clientId === 'anypath' ? uri.startsWith('http://127.0.0.1:') : allowed.call(this, uri);
};
if (options.grace_ms) {
  const consume = provider.RefreshToken.prototype.consume;
  provider.RefreshToken.prototype.consume = async function () {
    this.grace ??= setTimeout(() => consume.call(this).catch(() => {}), options.grace_ms);
  };
}

// A service account's assertion (RFC 7523), once.
const seen = new Set();
provider.registerGrantType(BEARER, async ctx => {
  let claims;
  try {
    const key = await jose.importJWK(keys.sa);
    ({ payload: claims } = await jose.jwtVerify(ctx.oidc.params.assertion, key, { audience: `${issuer}/token`, issuer: 'robot@example.test', maxTokenAge: '10m', clockTolerance: 5 }));
  } catch (error) {
    throw new errors.InvalidGrant(`assertion: ${error.message}`);
  }
  if (!claims.jti || seen.has(claims.jti)) throw new errors.InvalidGrant('assertion: replayed');
  seen.add(claims.jti);
  const token = new ctx.oidc.provider.ClientCredentials({ client: ctx.oidc.client, scope: claims.scope });
  ctx.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration, scope: claims.scope };
}, ['assertion', 'scope']);

// ---- what happened ----
const log = { tokens: [], authorizations: [], refreshes: 0, refreshes_refused: 0, revoked_families: 0, revocations: 0, reused: 0, requests: 0, errors: [], api: [], issued: [] };
const used = new Set(); // the tokens that the API has taken
let fail = { times: 0 };
const note = (ctx, error) => {
  const { params, client } = ctx.oidc;
  log.tokens.push({ grant_type: params?.grant_type, client: client?.clientId, auth: client?.clientAuthMethod, resource: params?.resource, pkce: !!params?.code_verifier, error: error?.error, detail: error?.error_detail });
};
provider.on('grant.success', ctx => { note(ctx); log.issued.push(...['access_token', 'refresh_token', 'id_token'].map(name => ctx.body[name]).filter(Boolean)); if (ctx.oidc.params.grant_type === REFRESH) log.refreshes++; });
provider.on('grant.error', (ctx, error) => {
  note(ctx, error);
  if (ctx.oidc.params?.grant_type === REFRESH) log.refreshes_refused++;
  if (error.error_detail === 'refresh token already used') log.reused++;
});
const alive = { AccessToken: new Map(), RefreshToken: new Map() };
provider.on('access_token.saved', token => alive.AccessToken.set(token.jti, token));
provider.on('refresh_token.saved', token => alive.RefreshToken.set(token.jti, token));
provider.use(async (ctx, next) => {
  await next();
  if (ctx.path === '/token' && ctx.body?.expires_in && options.expires_in) ctx.body.expires_in = options.expires_in;
});
provider.on('grant.revoked', () => { log.revoked_families++; });
provider.on('authorization.success', ctx => {
  const { state, nonce, code_challenge, ...rest } = ctx.oidc.params;
  log.authorizations.push(JSON.parse(JSON.stringify({ ...rest, state: state?.length, nonce: nonce?.length, code_challenge: code_challenge?.length })));
});
for (const event of ['authorization.error', 'server_error']) provider.on(event, (ctx, error) => log.errors.push(`${event}: ${error.message} ${error.error_detail ?? ''}`));

const text = req => new Promise(done => { let all = ''; req.on('data', piece => { all += piece; }); req.on('end', () => done(all)); });
const send = (res, status, value, headers = {}) => {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify(value));
};
let gate = null, skip = 0, waiting = [], passed = 0;
const controls = {
  log: () => ({ ...log, waiting: waiting.length, passed, tokens_used: used.size }),
  fail: wish => { fail = wish; return {}; },
  gate: wish => {
    gate = wish.at;
    skip = wish.skip ?? 0;
    for (const { res, go } of waiting.splice(0)) {
      if (wish.drop) res.socket?.destroy();
      else go();
    }
    return {};
  },
  end: async kinds => {
    for (const kind of kinds) {
      for (const token of alive[kind].values()) await token.destroy();
      alive[kind].clear();
    }
    return {};
  },
  options: wish => Object.assign(options, wish),
};
const oidc = provider.callback();
handlers.issuer = async (req, res) => {
  const control = controls[/^\/_test\/(\w+)$/.exec(req.url)?.[1]];
  if (control) {
    const wish = await text(req);
    return send(res, 200, await control(wish ? JSON.parse(wish) : null));
  }
  if (req.url === '/token') {
    if (fail.times > 0) {
      log.requests++;
      fail.times--;
      if (!fail.status) return req.socket.destroy();
      return send(res, fail.status, fail.body ?? { error: 'temporarily_unavailable' }, fail.headers);
    }
    const at = gate && skip-- > 0 ? null : gate;
    if (at === 'before') await new Promise(go => waiting.push({ res, go }));
    log.requests++;
    passed++; // until its answer is written, or nobody is there for it
    res.once('close', () => { passed--; });
    if (at === 'after') {
      const end = res.end.bind(res);
      res.end = (...args) => { waiting.push({ res, go: () => end(...args) }); return res; };
    }
  }
  if (req.url === '/token/revocation') log.revocations++;
  return oidc(req, res);
};
handlers.api = async (req, res) => {
  const value = /^Bearer (\S+)$/.exec(req.headers.authorization ?? '')?.[1];
  const token = value && (await provider.AccessToken.find(value) ?? await provider.ClientCredentials.find(value));
  await text(req);
  if (token) used.add(value);
  log.api.push({ method: req.method, path: req.url, ok: !!token });
  if (!token) return send(res, 401, { message: 'Bad credentials' }, { 'www-authenticate': 'Bearer error="invalid_token"' });
  return send(res, 200, { who: token.accountId ?? token.clientId, client: token.clientId, audience: token.aud ?? null, scope: token.scope ?? null, path: req.url });
};
console.log(JSON.stringify({ issuer, api }));
process.stdin.resume().on('end', () => process.exit(0)); // it ends with whoever began it
