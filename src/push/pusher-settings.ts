import { MatrixError } from '../kernel/errors.ts';
import type { WantedPusher } from './store/pushers.ts';

/** Limits of the specification (CS 1.19, postPusher): bytes of a pushkey, characters of an app id. */
const pushkeyBytesMax = 512;
const appIdLengthMax = 64;
/** The only path a push gateway may have (push gateway API, 2.1). */
const gatewayPath = '/_matrix/push/v1/notify';
/** `data` is sent with every push. */
const dataBytesMax = 16_384;

const needed = 'kind app_id app_display_name device_display_name pushkey lang data'.split(' ');

const invalid = (message: string) => new MatrixError('M_INVALID_PARAM', message);

function textIn(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name];
  if (typeof value !== 'string') throw invalid(`${name} must be a string`);
  return value;
}

function checkGateway(data: object): void {
  const { url } = data as { url?: unknown };
  if (url === undefined) throw new MatrixError('M_MISSING_PARAM', 'data.url is missing');
  const isUrl = typeof url === 'string' && URL.canParse(url);
  const parsed = isUrl ? new URL(url) : null;
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol)) {
    throw invalid('data.url must be an http or https URL');
  }
  if (parsed.pathname !== gatewayPath) {
    throw new MatrixError('M_MISSING_PARAM', `the path of data.url must be ${gatewayPath}`);
  }
}

/** Names of MSC3881, of fields in pushers. */
export const switchNames = {
  enabled: 'org.matrix.msc3881.enabled',
  deviceId: 'org.matrix.msc3881.device_id',
} as const;

function isEnabledIn(body: Readonly<Record<string, unknown>>): boolean {
  const value = body[switchNames.enabled] ?? true;
  if (typeof value !== 'boolean') throw invalid(`${switchNames.enabled} must be true or false`);
  return value;
}

/**
 * What a client wants to be pushed by; throws M_MISSING_PARAM or M_INVALID_PARAM. `hasSwitches`: it may be
 * switched off (MSC3881).
 */
export function checkedSettings(
  body: Readonly<Record<string, unknown>>,
  hasSwitches: boolean,
): WantedPusher {
  const missing = needed.filter((name) => !Object.hasOwn(body, name));
  if (missing.length > 0) {
    throw new MatrixError('M_MISSING_PARAM', `missing: ${missing.join(', ')}`);
  }
  const kind = body['kind'];
  if (kind !== 'http' && kind !== 'email') throw invalid('kind must be http, email or null');
  const { data, profile_tag: profileTag } = body;
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw invalid('data must be an object');
  }
  if (kind === 'http') checkGateway(data);
  const settings: WantedPusher = {
    kind,
    appId: textIn(body, 'app_id'),
    pushkey: textIn(body, 'pushkey'),
    appDisplayName: textIn(body, 'app_display_name'),
    deviceDisplayName: textIn(body, 'device_display_name'),
    lang: textIn(body, 'lang'),
    profileTag: typeof profileTag === 'string' ? profileTag : null,
    data: JSON.stringify(data),
    isEnabled: !hasSwitches || isEnabledIn(body),
    staysWithDevice: hasSwitches && Object.hasOwn(body, switchNames.enabled),
  };
  if (Buffer.byteLength(settings.pushkey) > pushkeyBytesMax) {
    throw invalid(`pushkey may have ${pushkeyBytesMax} bytes`);
  }
  if (settings.appId.length > appIdLengthMax) {
    throw invalid(`app_id may have ${appIdLengthMax} characters`);
  }
  if (Buffer.byteLength(settings.data) > dataBytesMax) throw invalid('data is too large');
  return settings;
}
