import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Whether `setpriv` is here and can have a program told when its parent has died. */
export async function canFollowParent(): Promise<boolean> {
  try {
    await promisify(execFile)('setpriv', ['--pdeathsig', 'INT', 'true']);
    return true;
  } catch {
    return false;
  }
}
