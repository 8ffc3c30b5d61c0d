import { connect, type Socket } from 'node:net';
import { connectionOptions } from './address.ts';
import { fromWireFailure, type WireFailure } from './failure.ts';
import { framesOver, type Frames } from './frames.ts';
import { proofOf } from './proof.ts';
import { answered, NotHeldHere, refused, type Call } from './server.ts';

/** The other process could not be reached, or went away before it answered. */
export class CallLost extends Error {
  /** The call had been sent: it may have had its effect. */
  readonly mayBeDone: boolean;

  constructor(mayBeDone: boolean) {
    super('the connection to another process was lost');
    this.name = 'CallLost';
    this.mayBeDone = mayBeDone;
  }
}

/** Calls that may be under way to one process. Beyond it that process is too slow. */
const pendingMax = 20_000;
const connectMsMax = 2_000;
/** A holder that does not answer for so long is taken for lost; a writer's batch takes milliseconds. */
const answerMsMax = 30_000;

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
  sentAtMs: number;
}

/** One connection to one process, for all calls to it. */
class Peer {
  readonly #pending = new Map<number, Pending>();
  readonly #socket: Socket;
  #frames: Frames | null = null;
  #waiting: unknown[] = [];
  #last = 0;
  isOpen = true;

  constructor(address: string, secret: string) {
    const socket = connect({ ...connectionOptions(address), timeout: connectMsMax });
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.unref();
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.destroy());
    socket.on('timeout', () => {
      if (!this.#frames) this.destroy();
    });
    const frames = framesOver(socket, (value) => {
      if (this.#frames) {
        this.#answer(value as [number, number, unknown]);
        return;
      }
      this.#frames = frames;
      frames.write(proofOf(secret, String(value)));
      for (const call of this.#waiting) frames.write(call);
      this.#waiting = [];
    });
  }

  #answer([id, kind, value]: [number, number, unknown]): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    if (kind === answered) pending.resolve(value);
    else if (kind === refused) pending.reject(new NotHeldHere());
    else pending.reject(fromWireFailure(value as WireFailure));
  }

  call({ role, shard, method, args }: Call): Promise<unknown> {
    if (this.#pending.size >= pendingMax) return Promise.reject(new CallLost(false));
    return new Promise((resolve, reject) => {
      const id = ++this.#last;
      this.#pending.set(id, { resolve, reject, sentAtMs: performance.now() });
      const message = [id, role, shard, method, args];
      if (this.#frames) this.#frames.write(message);
      else this.#waiting.push(message);
    });
  }

  /** Ends the connection when a call has waited for too long. */
  checkTime(): void {
    const [oldest] = this.#pending.values();
    if (oldest && performance.now() - oldest.sentAtMs > answerMsMax) this.destroy();
  }

  destroy(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#socket.destroy();
    const wasSent = this.#frames !== null;
    for (const { reject } of this.#pending.values()) reject(new CallLost(wasSent));
    this.#pending.clear();
  }
}

/** Calls other processes. */
export interface RpcClient {
  /** Throws what the called method throws, NotHeldHere or CallLost. */
  call(address: string, call: Call): Promise<unknown>;
  /** Gives up the connection to a process that is known to be gone. */
  forget(address: string): void;
  close(): void;
}

const checkMs = 5_000;

export function createRpcClient(secret: string): RpcClient {
  const peers = new Map<string, Peer>();
  const checking = setInterval(() => {
    for (const peer of peers.values()) peer.checkTime();
  }, checkMs).unref();

  return {
    call(address, call) {
      let peer = peers.get(address);
      if (!peer?.isOpen) peers.set(address, (peer = new Peer(address, secret)));
      return peer.call(call);
    },
    forget(address) {
      peers.get(address)?.destroy();
      peers.delete(address);
    },
    close() {
      clearInterval(checking);
      for (const peer of peers.values()) peer.destroy();
    },
  };
}
