import type { AccountServices } from '../../accounts/module.ts';
import { endpoint, type Reply } from '../../http/endpoint.ts';
import { readForm } from '../../http/form.ts';
import { htmlPage } from '../../http/html-page.ts';
import { MatrixError } from '../../kernel/errors.ts';
import type { Templates } from '../../templates/module.ts';
import type { Consents } from '../consents.ts';

export interface ConsentPageNeeds {
  accounts: Pick<AccountServices, 'directory' | 'config'>;
  consents: Consents;
  /** The version that is asked for. */
  version: string;
  templates: Templates;
  /** The version a user has accepted; null: none. */
  acceptedBy(userNid: number): Promise<string | null>;
}

const declare = endpoint<ConsentPageNeeds>();
const runsOn = { group: 'main', balance: 'none' } as const;
const paths = ['/_matrix/consent'];

/** The account a link was made for. Throws M_FORBIDDEN. */
async function accountOf(
  { accounts, consents }: ConsentPageNeeds,
  localpart: string,
  signature: string,
) {
  if (!consents.isLinkOf(localpart, signature)) {
    throw new MatrixError('M_FORBIDDEN', 'This link was not made for that user');
  }
  const account = await accounts.directory.byUserId(`@${localpart}:${accounts.config.serverName}`);
  if (!account) throw new MatrixError('M_NOT_FOUND', 'User not found');
  return account;
}

/** Versions are names of files. Throws M_INVALID_PARAM. */
function checkedVersion(version: string): string {
  if (/^[\w.-]{1,100}$/.test(version) && version !== 'success') return version;
  throw new MatrixError('M_INVALID_PARAM', 'Invalid version');
}

async function page(
  { templates }: ConsentPageNeeds,
  name: string,
  values: Readonly<Record<string, unknown>>,
): Promise<Reply> {
  const html = await templates.render(`${name}.html`, values).catch((cause: unknown) => {
    throw new MatrixError('M_NOT_FOUND', `There is no page ${name}`, { cause });
  });
  return htmlPage(html);
}

const showConsent = declare({
  operation: 'showConsent',
  method: 'GET',
  paths,
  auth: 'none',
  runsOn,
  summary: 'The page with the terms; with a link made for a user, the user can accept them there',
  source: 'Synapse, "Privacy policy"',
  async handle({ query }, needs) {
    const version = checkedVersion(query['v'] ?? needs.version);
    const { u: localpart, h: signature } = query;
    if (localpart === undefined || localpart === '') {
      return page(needs, version, { version, public_version: true, has_consented: false });
    }
    const account = await accountOf(needs, localpart, signature ?? '');
    return page(needs, version, {
      user: localpart,
      userhmac: signature,
      version,
      has_consented: (await needs.acceptedBy(account.userNid)) === version,
      public_version: false,
    });
  },
});

const giveConsent = declare({
  operation: 'giveConsent',
  method: 'POST',
  paths,
  auth: 'none',
  runsOn,
  bodyMode: 'none',
  summary: 'What that page sends: the user accepts a version of the terms',
  source: 'Synapse, "Privacy policy"',
  async handle({ raw }, needs) {
    const form = await readForm(raw.req);
    const [version, localpart, signature] = ['v', 'u', 'h'].map((name) => {
      const value = form.get(name);
      if (value === null) throw new MatrixError('M_MISSING_PARAM', `Missing ${name}`);
      return value;
    }) as [string, string, string];
    const account = await accountOf(needs, localpart, signature);
    await needs.consents.accept(account.userNid, checkedVersion(version));
    return page(needs, 'success', {});
  },
});

export const consentPages = [showConsent, giveConsent];
