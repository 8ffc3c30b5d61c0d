import { Parser } from 'htmlparser2';
import { SsoError } from '../sso-error.ts';

/** Whom a ticket stands for. */
export interface CasResponse {
  user: string;
  /** Values by name. */
  attributes: Readonly<Record<string, readonly string[]>>;
}

const depthMax = 20;

/** Names without their prefix: servers choose different ones for the namespace. */
const localName = (name: string) => name.slice(name.indexOf(':') + 1);

interface Element {
  path: string;
  text: string;
}

/** The elements of a document with their text, in the order in which they end. */
function elementsOf(xml: string): Element[] {
  const open: { name: string; text: string }[] = [];
  const ended: Element[] = [];
  let isWrong = false;
  const parser = new Parser(
    {
      onopentag(name) {
        open.push({ name: localName(name), text: '' });
        if (open.length > depthMax) {
          isWrong = true;
          parser.reset();
        }
      },
      ontext(text) {
        const element = open.at(-1);
        if (element) element.text += text;
      },
      onclosetag(_name, isImplied) {
        // An element that was never closed: the answer is not whole.
        if (isImplied) isWrong = true;
        ended.push({ path: open.map(({ name }) => name).join('/'), text: open.at(-1)?.text ?? '' });
        open.pop();
      },
    },
    { xmlMode: true },
  );
  parser.end(xml);
  return isWrong ? [] : ended;
}

/**
 * Reads the answer of a CAS server about a ticket (CAS protocol 3.0, 2.5.2). Throws SsoError when the
 * ticket is refused or the answer is none.
 */
export function parseCasResponse(xml: string): CasResponse {
  const elements = elementsOf(xml);
  const success = 'serviceResponse/authenticationSuccess';
  if (!elements.some(({ path }) => path === 'serviceResponse')) {
    throw new SsoError('missing_service_response', 'The CAS server gives no answer', 401);
  }
  if (elements.filter(({ path }) => path === success).length !== 1) {
    throw new SsoError('unsuccessful_response', 'The CAS server refuses the log-in', 401);
  }
  const users = elements.filter(({ path }) => path === `${success}/user`);
  const user = users[0]?.text.trim() ?? '';
  if (users.length !== 1 || user === '') {
    throw new SsoError('no_user', 'The CAS server does not say who you are', 401);
  }
  const attributes: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  const prefix = `${success}/attributes/`;
  for (const { path, text } of elements) {
    const name = path.startsWith(prefix) ? path.slice(prefix.length) : '/';
    if (!name.includes('/')) (attributes[name] ??= []).push(text.trim());
  }
  return { user, attributes };
}
