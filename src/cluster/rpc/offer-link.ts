import type { Socket } from 'node:net';
import { framesOver } from './frames.ts';
import { proofOf } from './proof.ts';

/** What a caller says, once it has proven itself, to use the connection for something else. */
export const linkWish = 'link';

/**
 * The calling side: proves that it knows the secret and asks for the connection. `granted` is called
 * when it is the caller's, with nothing read ahead; otherwise the other side closes it.
 */
export function offerLink(socket: Socket, secret: string, granted: () => void): void {
  let isProven = false;
  const frames = framesOver(socket, (value) => {
    if (!isProven) {
      isProven = true;
      frames.write(proofOf(secret, String(value)));
      frames.write(linkWish);
    } else if (value === linkWish) {
      frames.detach();
      granted();
    } else {
      socket.destroy();
    }
  });
}
