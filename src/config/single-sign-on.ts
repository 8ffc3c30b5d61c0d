import {
  flag,
  kind,
  list,
  mapping,
  oneOf,
  orNull,
  secretTextOrNumber,
  text,
  type Kind,
} from './kinds.ts';
import { group, mappingOf, option, optional, section, type ValuesOf } from './option.ts';
import type { OptionLoader } from './option-loader.ts';
import type { Reading } from './reading.ts';
import { readSecret, readSecretFile } from './secret-file.ts';

const attributeRequirement = {
  attribute: optional(text, 'The name of an attribute; by itself: the user has to have it.'),
  value: optional(text, 'It has this value.'),
  one_of: optional(list(text), 'It has one of these values.'),
};

const jwtKey = {
  key: optional(secretTextOrNumber, 'A private key, PEM.'),
  key_file: optional(text, 'A file with it.'),
  jwt_header: option(mapping, {}, 'Its header; `alg` is needed.'),
  jwt_payload: option(mapping, {}, 'Further claims, such as `iss`.'),
};

const userMapping = {
  module: optional(text, 'Only Synapse’s own, `JinjaOidcMappingProvider`.'),
  config: group(
    {
      subject_template: optional(text, 'The id of the user at the provider.', {
        defaultText: '`{{ user.sub }}`',
      }),
      subject_claim: optional(text, 'The same as the name of a claim.'),
      localpart_template: optional(
        text,
        'The user name of a new user; without it the user chooses one.',
      ),
      confirm_localpart: option(flag, false, 'The user may change that name.'),
      display_name_template: optional(text, 'The display name of a new user.'),
      email_template: optional(text, 'The mail address of a new user.'),
      picture_template: optional(text, 'The URL of a picture.', {
        defaultText: '`{{ user.picture }}`',
      }),
      picture_claim: optional(text, 'The same as the name of a claim.'),
      extra_attributes: option(
        mapping,
        {},
        'Templates by name; clients find their values in the answer to the log-in.',
      ),
    },
    'Templates, in which `user` has the claims.',
  ),
};

const provider = {
  idp_id: option(text, 'oidc', 'Its id, which stays the same: users are known by it.'),
  idp_name: option(text, 'OIDC', 'Its name for users.'),
  idp_icon: optional(text, 'Its picture, an `mxc://` URL.'),
  idp_brand: optional(text, 'A brand that clients know how to show.'),
  issuer: optional(text, 'Its URL, by which it is discovered and its tokens are checked. Needed.'),
  discover: option(flag, true, 'Its endpoints are asked of it.'),
  client_id: optional(text, 'The id under which it knows this server. Needed.'),
  client_secret: optional(secretTextOrNumber, 'The secret to that.'),
  client_secret_path: optional(text, 'A file with that secret.'),
  client_secret_jwt_key: optional(mappingOf(jwtKey), 'A key to make that secret of, as a token.', {
    members: jwtKey,
  }),
  client_auth_method: optional(
    oneOf('client_secret_basic', 'client_secret_post', 'none'),
    'How the secret is sent.',
    { defaultText: '`client_secret_basic`; without a secret `none`' },
  ),
  pkce_method: option(
    oneOf('auto', 'always', 'never'),
    'auto',
    'Proof keys (PKCE); `auto`: when the provider says that it knows them.',
  ),
  id_token_signing_alg_values_supported: optional(list(text), 'Algorithms by which it signs.', {
    defaultText: 'as it says, else `RS256`',
  }),
  scopes: option(list(text), ['openid'], 'What is asked for.'),
  authorization_endpoint: optional(text, 'Needed without discovery.'),
  token_endpoint: optional(text, 'Needed without discovery.'),
  userinfo_endpoint: optional(text, 'Needed without discovery and the scope `openid`.'),
  jwks_uri: optional(text, 'Where its keys are. Needed without discovery.'),
  skip_verification: option(
    flag,
    false,
    'What it says of itself is not checked, so that its endpoints may be `http://`.',
  ),
  user_profile_method: option(
    oneOf('auto', 'userinfo_endpoint'),
    'auto',
    'Where claims come from; `auto`: the ID token, without the scope `openid` the endpoint.',
  ),
  redirect_uri: optional(text, 'Where it sends browsers, which have to go on to the callback.'),
  additional_authorization_parameters: option(mapping, {}, 'Further parameters of the request.'),
  passthrough_authorization_parameters: option(
    list(text),
    [],
    'Parameters of `/login/sso/redirect` that are passed on.',
  ),
  allow_existing_users: option(
    flag,
    false,
    'Who gets the name of an existing user is that user, and not refused.',
  ),
  enable_registration: option(flag, true, 'Who is not known yet gets an account.'),
  user_mapping_provider: group(userMapping, 'How users are made of claims.'),
  attribute_requirements: option(
    list(mappingOf(attributeRequirement)),
    [],
    'Who is let in: all of them hold.',
    { members: attributeRequirement },
  ),
  backchannel_logout_enabled: option(flag, false, 'It may log out users.'),
  backchannel_logout_ignore_sub: option(
    flag,
    false,
    'Whom it names then does not matter, only the session.',
  ),
};

const casVersion: Kind<1 | 2 | 3> = kind('1, 2 or 3', (value) =>
  value === 1 || value === 2 || value === 3 ? value : undefined,
);

const cas = {
  enabled: option(flag, true, 'Whether it is on.'),
  idp_name: option(text, 'CAS', 'Its name for users.'),
  idp_icon: optional(text, 'Its picture, an `mxc://` URL.'),
  idp_brand: optional(text, 'A brand that clients know how to show.'),
  server_url: optional(text, 'Its URL. Needed.'),
  protocol_version: optional(casVersion, 'Attributes come with 3 only.'),
  displayname_attribute: optional(text, 'The attribute that is the display name of a new user.'),
  required_attributes: option(
    mapping,
    {},
    'Attributes and their values that a user has to have; null: any value.',
  ),
  enable_registration: option(flag, true, 'Who is not known yet gets an account.'),
  allow_numeric_ids: option(flag, false, 'Users may have names of digits only.'),
  numeric_ids_prefix: option(text, 'u', 'What such names begin with.'),
};

export const singleSignOnSection = section(
  'Single sign-on',
  'Log-in at identity providers. See [single-sign-on.md](../single-sign-on.md).',
  {
    oidc_providers: option(list(mappingOf(provider)), [], 'Providers that speak OpenID Connect.', {
      members: provider,
      example:
        '\n  - idp_id: example\n    idp_name: Example\n    issuer: https://id.example.org/\n' +
        '    client_id: matrix\n    client_secret: secret\n    scopes: [openid, profile]\n' +
        '    user_mapping_provider:\n      config:\n' +
        "        localpart_template: '{{ user.preferred_username }}'\n" +
        "        display_name_template: '{{ user.name }}'",
    }),
    cas_config: optional(mappingOf(cas), 'A server that speaks CAS.', {
      members: cas,
      example: '\n    server_url: https://cas.example.org\n    protocol_version: 3',
    }),
    sso: group(
      {
        client_whitelist: option(
          orNull(list(text)),
          null,
          'Beginnings of addresses of clients that users are sent to without being asked; with a ' +
            'slash after the host.',
          { defaultText: 'only the log-in page of this server' },
        ),
        update_profile_information: option(
          flag,
          false,
          'The display name and the picture are set anew at each log-in.',
        ),
      },
      'What holds for all of them.',
    ),
  },
);

type Values = ValuesOf<typeof singleSignOnSection.options>;
type Provider = Values['oidc_providers'][number];

const ownMapping = /\b(?:JinjaOidcMappingProvider|OidcUserMappingProvider)$/;

const isUrl = (value: string) => /^https?:\/\//.test(value) && URL.canParse(value);

/** Mappings of texts; other values are told of and left out. */
function texts(given: Readonly<Record<string, unknown>>, at: Reading): Record<string, string> {
  const entries = Object.entries(given).flatMap(([name, value]) => {
    if (typeof value === 'string' || typeof value === 'number') return [[name, String(value)]];
    at.within(name).problem('must be text');
    return [];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

function readJwtKey(loader: OptionLoader, given: Provider['client_secret_jwt_key'], i: number) {
  if (given === null) return null;
  const path = ['oidc_providers', i, 'client_secret_jwt_key'] as const;
  const key =
    given.key_file === null
      ? given.key
      : readSecretFile(loader.at(...path, 'key_file'), given.key_file);
  if (given.key !== null && given.key_file !== null)
    loader.at(...path).problem('key and key_file are set');
  if (key === null) loader.at(...path).problem('key or key_file is needed');
  const header = texts(given.jwt_header, loader.at(...path, 'jwt_header'));
  if (!('alg' in header)) loader.at(...path, 'jwt_header').problem('alg is needed');
  return {
    key: key ?? '',
    header,
    payload: texts(given.jwt_payload, loader.at(...path, 'jwt_payload')),
  };
}

function readMapping({ config }: Provider['user_mapping_provider'], at: Reading) {
  const claim = (name: string) => `{{ user[${JSON.stringify(name)}] }}`;
  return {
    subject: config.subject_template ?? claim(config.subject_claim ?? 'sub'),
    localpart: config.localpart_template,
    confirmsLocalpart: config.confirm_localpart,
    displayName: config.display_name_template,
    email: config.email_template,
    picture: config.picture_template ?? claim(config.picture_claim ?? 'picture'),
    extra: texts(config.extra_attributes, at.within('config', 'extra_attributes')),
  };
}

const endpointNames = [
  'authorization_endpoint',
  'token_endpoint',
  'userinfo_endpoint',
  'jwks_uri',
] as const;

function checkProvider(given: Provider, at: Reading): void {
  if (!/^[A-Za-z0-9._~-]{1,250}$/.test(given.idp_id)) {
    at.within('idp_id').problem('must be of letters, digits and . _ ~ -');
  }
  if (given.issuer === null) at.within('issuer').problem('this option is needed');
  if (given.client_id === null) at.within('client_id').problem('this option is needed');
  if (given.discover && given.issuer !== null && !isUrl(given.issuer)) {
    at.within('issuer').problem('must be a URL');
  }
  for (const name of endpointNames) {
    const url = given[name];
    if (url !== null && !isUrl(url)) at.within(name).problem('must be a URL');
  }
  if (!given.discover) {
    const usesToken = given.scopes.includes('openid');
    const needed = [
      'authorization_endpoint',
      'token_endpoint',
      usesToken ? 'jwks_uri' : 'userinfo_endpoint',
    ] as const;
    for (const name of needed) {
      if (given[name] === null) at.within(name).problem('is needed without discovery');
    }
  }
  const { module } = given.user_mapping_provider;
  if (module !== null && !ownMapping.test(module)) {
    at.within('user_mapping_provider', 'module').problem('modules in Python cannot be run');
  }
  for (const [i, { attribute }] of given.attribute_requirements.entries()) {
    if (attribute === null)
      at.within('attribute_requirements', i, 'attribute').problem('is needed');
  }
}

function readProvider(loader: OptionLoader, given: Provider, i: number) {
  const at = loader.at('oidc_providers', i);
  checkProvider(given, at);
  const secret = readSecret(
    loader,
    ['oidc_providers', i, 'client_secret'],
    given.client_secret,
    given.client_secret_path,
  );
  const jwt = readJwtKey(loader, given.client_secret_jwt_key, i);
  const hasSecret = secret !== null || jwt !== null;
  const method = given.client_auth_method ?? (hasSecret ? 'client_secret_basic' : 'none');
  if (!hasSecret && method !== 'none') at.within('client_auth_method').problem('needs a secret');
  return {
    // `oidc` is what Synapse called the only one there was once.
    id: given.idp_id === 'oidc' ? 'oidc' : `oidc-${given.idp_id}`,
    name: given.idp_name,
    icon: given.idp_icon,
    brand: given.idp_brand,
    issuer: given.issuer ?? '',
    isDiscovered: given.discover,
    isChecked: !given.skip_verification,
    clientId: given.client_id ?? '',
    clientSecret: secret,
    clientSecretJwt: jwt,
    clientAuthMethod: method,
    pkce: given.pkce_method,
    algorithms: given.id_token_signing_alg_values_supported,
    scopes: given.scopes,
    authorizationEndpoint: given.authorization_endpoint,
    tokenEndpoint: given.token_endpoint,
    userinfoEndpoint: given.userinfo_endpoint,
    jwksUri: given.jwks_uri,
    usesUserinfo:
      given.user_profile_method === 'userinfo_endpoint' || !given.scopes.includes('openid'),
    redirectUri: given.redirect_uri,
    parameters: texts(
      given.additional_authorization_parameters,
      at.within('additional_authorization_parameters'),
    ),
    passedThrough: given.passthrough_authorization_parameters,
    adoptsExistingUsers: given.allow_existing_users,
    registersUsers: given.enable_registration,
    mapping: readMapping(given.user_mapping_provider, at.within('user_mapping_provider')),
    requirements: given.attribute_requirements.map(({ attribute, value, one_of: oneValue }) => ({
      attribute: attribute ?? '',
      values: value === null ? oneValue : [value],
    })),
    logsOutByBackchannel: given.backchannel_logout_enabled,
    ignoresSubjectAtLogout: given.backchannel_logout_ignore_sub,
  };
}

function readCas(loader: OptionLoader, given: Values['cas_config']) {
  if (given === null || !given.enabled) return null;
  const at = loader.at('cas_config');
  if (given.server_url === null) at.within('server_url').problem('this option is needed');
  else if (!isUrl(given.server_url)) at.within('server_url').problem('must be a URL');
  if (!/^[A-Za-z0-9]+$/.test(given.numeric_ids_prefix)) {
    at.within('numeric_ids_prefix').problem('must be of letters and digits');
  }
  const required = Object.entries(given.required_attributes);
  const valueOf = (value: unknown) =>
    typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return {
    name: given.idp_name,
    icon: given.idp_icon,
    brand: given.idp_brand,
    serverUrl: (given.server_url ?? '').replace(/\/+$/, ''),
    protocolVersion: given.protocol_version ?? 2,
    displayNameAttribute: given.displayname_attribute,
    requirements: required.map(([attribute, value]) => ({
      attribute,
      values: value === null ? null : [valueOf(value)],
    })),
    registersUsers: given.enable_registration,
    numericPrefix: given.allow_numeric_ids ? given.numeric_ids_prefix : null,
  };
}

/** What single sign-on is configured by. `baseUrl`: of this server, without a slash at the end. */
export function readSingleSignOn(loader: OptionLoader, values: Values, baseUrl: string) {
  const providers = values.oidc_providers.map((given, i) => readProvider(loader, given, i));
  const ids = providers.map(({ id }) => id);
  for (const [i, id] of ids.entries()) {
    if (ids.indexOf(id) !== i) {
      loader.at('oidc_providers', i, 'idp_id').problem('another provider has this id');
    }
  }
  const clients = values.sso.client_whitelist ?? [];
  for (const [i, client] of clients.entries()) {
    if (/^https?:\/\/[^/]*$/.test(client)) {
      loader
        .at('sso', 'client_whitelist', i)
        .warn('without a slash after the host other hosts begin with it too');
    }
  }
  return {
    oidc: providers,
    cas: readCas(loader, values.cas_config),
    trustedClients: [...clients, `${baseUrl}/_matrix/static/client/login`],
    updatesProfiles: values.sso.update_profile_information,
  };
}
