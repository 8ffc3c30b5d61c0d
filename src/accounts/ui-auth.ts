import { isDeepStrictEqual } from 'node:util';
import { Reply, type RequestInfo, type Requester } from '../http/endpoint.ts';
import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { MatrixError } from '../kernel/errors.ts';
import { randomLetters } from '../kernel/random.ts';
import { selectLastValidated, updateLastValidated } from './store/tokens.ts';
import { createUiAuthSessions, type UiAuthSession } from './ui-auth-sessions.ts';

export interface StageContext {
  session: UiAuthSession;
  request: RequestInfo;
  /** Null while registering. */
  requester: Requester | null;
  /** Stores the session, for what is to end with it. */
  store(): Promise<void>;
}

/** One way to authenticate, for example a password. */
export interface UiAuthStage {
  /**
   * Checks what the client sent for the stage and gives a result to remember (JSON). Throws
   * `StageFailed` when the client may try again; any other error ends the request.
   */
  check(auth: Record<string, unknown>, context: StageContext): Promise<unknown>;
  /** What the client needs to know beforehand; the stage's entry in `params`. */
  params?(): Record<string, unknown>;
  /** Somebody has registered by a session that has passed the stage. */
  registered?(user: { userNid: number; userId: string }): Promise<void>;
}

/** The client's attempt was wrong; it gets the flows once more, with this error. */
export class StageFailed extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface UiAuthRequest {
  /** The body as sent. */
  body: Record<string, unknown>;
  request: RequestInfo;
  requester: Requester | null;
  /** Each a list of stages; any one of them is enough. */
  flows: readonly (readonly string[])[];
  /** For people, for example `remove device(s) from your account`. */
  description: string;
  /** The stages may be left out when the token's holder has authenticated lately. */
  mayReuse?: boolean;
  /**
   * Called when the client has to go on authenticating: may put into the session what is to be
   * kept, such as the hash of a password that the client need not send again.
   */
  onIncomplete?: (session: UiAuthSession) => Promise<void>;
}

/** What is known when authentication is complete. */
export interface UiAuthDone {
  completed: Record<string, unknown>;
  /** The body without `auth`: this request's, or the session's when this one had none. */
  body: Record<string, unknown>;
  session: UiAuthSession | null;
  /** The client knows the session and could come back to it. */
  isStored: boolean;
}

/** Interactive authentication. Source: CS 1.19, "User-Interactive Authentication API". */
export interface UiAuth {
  /** Answers 401 with the flows until one is complete; then `then` does the work. */
  authorise(asked: UiAuthRequest, then: (done: UiAuthDone) => Promise<unknown>): Promise<unknown>;
  /** Reads the session a body names, if it does and the session exists. */
  sessionOf(body: Record<string, unknown>): Promise<UiAuthSession | null>;
  addStage(name: string, stage: UiAuthStage): void;
  stage(name: string): UiAuthStage | undefined;
  /**
   * The same as with a request of the client, on a page in the browser. Rejects with StageFailed,
   * with M_UNKNOWN for unknown sessions, with M_NOT_FOUND for unknown stages.
   */
  attemptStage(
    sessionId: string,
    stage: string,
    auth: Record<string, unknown>,
    request: RequestInfo,
  ): Promise<void>;
  /**
   * What a session is about, while it has not passed the stage; `userId` is empty while registering.
   * Null: there is no such session, or it has.
   */
  pending(
    sessionId: string,
    stage: string,
  ): Promise<{ userId: string; description: string } | null>;
  /** Tells the stages that a session has passed. */
  registered(
    user: { userNid: number; userId: string },
    completed: Readonly<Record<string, unknown>>,
  ): Promise<void>;
  /** Completes a stage outside of the request, for example on a page in the browser. */
  completeStage(sessionId: string, stage: string, result: unknown): Promise<void>;
  removeOld(): Promise<void>;
}

/** Body members that are never stored. */
const secretMembers = new Set(['auth', 'password', 'new_password']);

export function createUiAuth(database: Database, clock: Clock, reuseMs: number): UiAuth {
  const stages = new Map<string, UiAuthStage>();
  const sessions = createUiAuthSessions(database, clock);

  async function openSession(asked: UiAuthRequest, sessionId: unknown): Promise<UiAuthSession> {
    const operation = operationOf(asked);
    const body = withoutSecrets(asked.body);
    if (typeof sessionId !== 'string' || sessionId === '') {
      return {
        id: randomLetters(24),
        createdTs: clock.now(),
        operation,
        description: asked.description,
        request: body,
        completed: {},
        passwordHash: null,
        registeredUserId: null,
        registrationToken: null,
      };
    }
    const session = await sessions.load(sessionId);
    if (!session) throw unknownSession(sessionId);
    const isSame =
      Object.keys(body).length === 0 ||
      // While registering, clients add to the request as they go on.
      asked.requester === null ||
      isDeepStrictEqual(body, session.request);
    if (session.operation !== operation || !isSame) {
      throw new MatrixError(
        'M_FORBIDDEN',
        'Requested operation has changed during the UI authentication session.',
      );
    }
    if (Object.keys(body).length > 0) session.request = body;
    return session;
  }

  function challenge(asked: UiAuthRequest, session: UiAuthSession, failure: StageFailed | null) {
    const params: Record<string, unknown> = {};
    for (const name of asked.flows.flat()) {
      const stageParams = stages.get(name)?.params?.();
      if (stageParams) params[name] = stageParams;
    }
    return new Reply(401, {
      session: session.id,
      flows: asked.flows.map((flow) => ({ stages: flow })),
      params,
      ...(Object.keys(session.completed).length > 0 || failure
        ? { completed: Object.keys(session.completed) }
        : {}),
      ...(failure ? { errcode: failure.code, error: failure.message } : {}),
    });
  }

  /** Runs the stage the client attempts. Gives the failure it may recover from, if any. */
  async function attempt(
    asked: UiAuthRequest,
    session: UiAuthSession,
    auth: Record<string, unknown>,
    store: () => Promise<void>,
  ): Promise<StageFailed | null> {
    const name = auth['type'];
    if (typeof name !== 'string' || name in session.completed) return null;
    const stage = stages.get(name);
    if (!stage || !isNext(name, asked.flows, session.completed)) {
      return new StageFailed('M_UNKNOWN', `${name} is not a stage that can be done now`);
    }
    try {
      const { request, requester } = asked;
      session.completed[name] = await stage.check(auth, { session, request, requester, store });
      return null;
    } catch (error) {
      if (error instanceof StageFailed) return error;
      throw error;
    }
  }

  async function wasLately(asked: UiAuthRequest): Promise<boolean> {
    const { requester } = asked;
    if (!asked.mayReuse || reuseMs === 0 || !requester?.tokenNid) return false;
    const [row] = await database.query(selectLastValidated, [
      requester.userNid,
      requester.tokenNid,
    ]);
    return (row?.lastValidatedTs ?? 0) > clock.now() - reuseMs;
  }

  async function authorise(
    asked: UiAuthRequest,
    then: (done: UiAuthDone) => Promise<unknown>,
  ): Promise<unknown> {
    const { auth: given, ...body } = asked.body;
    if (await wasLately(asked)) {
      return then({ completed: {}, body, session: null, isStored: false });
    }
    const auth = isRecord(given) ? given : {};
    const session = await openSession(asked, auth['session']);
    let isStored = typeof auth['session'] === 'string' && auth['session'] !== '';
    const store = async () => {
      await sessions.save(session);
      isStored = true;
    };
    const failure = isRecord(given) ? await attempt(asked, session, auth, store) : null;
    const isComplete =
      isRecord(given) &&
      asked.flows.some((flow) => flow.every((stage) => stage in session.completed));
    if (failure || !isComplete) {
      await asked.onIncomplete?.(session);
      await sessions.save(session);
      return challenge(asked, session, failure);
    }
    if (reuseMs > 0 && asked.requester?.tokenNid) {
      const { userNid, tokenNid } = asked.requester;
      await database.query(updateLastValidated, [userNid, tokenNid, clock.now()]);
    }
    return then({
      completed: session.completed,
      body: { ...session.request, ...body },
      session,
      isStored,
    });
  }

  const pending: UiAuth['pending'] = async (sessionId, stage) => {
    const session = await sessions.load(sessionId);
    if (!session || stage in session.completed) return null;
    const [, , userId = ''] = session.operation.split(' ');
    return { userId, description: session.description };
  };

  return {
    authorise,
    async sessionOf(body) {
      const auth = body['auth'];
      const id = isRecord(auth) ? auth['session'] : undefined;
      return typeof id === 'string' && id !== '' ? sessions.load(id) : null;
    },
    async attemptStage(sessionId, name, auth, request) {
      const stage = stages.get(name);
      if (!stage) throw new MatrixError('M_NOT_FOUND', `There is no stage ${name}`);
      const session = await sessions.load(sessionId);
      if (!session) throw unknownSession(sessionId);
      if (name in session.completed) return;
      const store = () => sessions.save(session);
      const result = await stage.check(auth, { session, request, requester: null, store });
      session.completed[name] = result;
      // The client may have gone on meanwhile: what it has said since stays.
      if (!(await sessions.complete(sessionId, name, result))) throw unknownSession(sessionId);
    },
    pending,
    async registered(user, completed) {
      const passed = Object.keys(completed).map((name) => stages.get(name));
      await Promise.all(passed.map(async (stage) => stage?.registered?.(user)));
    },
    addStage(name, stage) {
      if (stages.has(name)) throw new Error(`stage ${name} is added twice`);
      stages.set(name, stage);
    },
    stage: (name) => stages.get(name),
    async completeStage(sessionId, stage, result) {
      if (!(await sessions.complete(sessionId, stage, result))) throw unknownSession(sessionId);
    },
    removeOld: () => sessions.removeOld(),
  };
}

const unknownSession = (id: string) => new MatrixError('M_UNKNOWN', `Unknown session ID: ${id}`);

/** Method, path and user: what a session is good for. */
function operationOf({ request, requester }: UiAuthRequest): string {
  const path = request.url.split('?', 1)[0];
  return `${request.method} ${path} ${requester?.userId ?? ''}`;
}

/** Stages are done in the order of a flow. */
function isNext(
  stage: string,
  flows: readonly (readonly string[])[],
  completed: Record<string, unknown>,
): boolean {
  return flows.some((flow) => flow.find((name) => !(name in completed)) === stage);
}

function withoutSecrets(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([key]) => !secretMembers.has(key)));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
