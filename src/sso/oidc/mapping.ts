import type { Log } from '../../kernel/log.ts';
import { localpartFrom } from '../../matrix/localparts.ts';
import { textTemplate, type TextTemplate } from '../../templates/module.ts';
import type { RemoteUser } from '../identity-provider.ts';
import { SsoError } from '../sso-error.ts';
import type { OidcConfig } from './oidc-config.ts';

type Claims = Readonly<Record<string, unknown>>;

/** Makes users of claims, by the templates of the configuration. Rejects with SsoError. */
export type Mapping = (claims: Claims, sessionId: string | null) => Promise<RemoteUser>;

/** What is wrong with a template is told to `log` at once, and to people when they come. */
export function createMapping({ id, mapping }: OidcConfig, log: Log): Mapping {
  const optional = (source: string | null) => (source === null ? null : textTemplate(source));
  const subject = textTemplate(mapping.subject);
  const localpart = optional(mapping.localpart);
  const displayName = optional(mapping.displayName);
  const email = optional(mapping.email);
  const picture = textTemplate(mapping.picture);
  const extra = Object.entries(mapping.extra).map(([name, source]): [string, TextTemplate] => [
    name,
    textTemplate(source),
  ]);

  for (const template of [
    subject,
    localpart,
    displayName,
    email,
    picture,
    ...extra.map(([, one]) => one),
  ]) {
    template?.check().catch((error: unknown) => {
      log.error({ err: error, provider: id }, 'a template of user_mapping_provider is wrong');
    });
  }

  /** Null: there is no template, or it gives nothing. */
  const rendered = async (template: TextTemplate | null, claims: Claims) =>
    template === null ? null : (await template.render({ user: claims })) || null;

  async function map(claims: Claims, sessionId: string | null): Promise<RemoteUser> {
    const externalId = (await rendered(subject, claims)) ?? '';
    const name = await rendered(localpart, claims);
    const address = await rendered(email, claims);
    const pairs = extra.map(async ([key, template]) => [
      key,
      await template.render({ user: claims }),
    ]);
    return {
      externalId,
      claims: Object.fromEntries(
        Object.entries(claims).map(([key, value]) => [key, Array.isArray(value) ? value : [value]]),
      ),
      attributes: {
        localpart: name === null ? null : localpartFrom(name),
        confirmsLocalpart: mapping.confirmsLocalpart,
        displayName: await rendered(displayName, claims),
        emails: address === null ? [] : [address],
        picture: await rendered(picture, claims),
      },
      sessionId,
      extra:
        extra.length === 0
          ? null
          : (Object.fromEntries(await Promise.all(pairs)) as Record<string, string>),
    };
  }

  return async (claims, sessionId) => {
    try {
      return await map(claims, sessionId);
    } catch (cause) {
      throw new SsoError('mapping_error', 'Your attributes could not be read', 500, cause);
    }
  };
}
