import { StageFailed, type UiAuthStage } from '../accounts/module.ts';

export interface CaptchaConfig {
  /** [recaptcha_public_key] */
  publicKey: string;
  /** [recaptcha_private_key] */
  privateKey: string;
  /** [recaptcha_siteverify_api] */
  verifyUrl: string;
}

/** Sends a form to a server outside; gives its answer's JSON. */
export type PostForm = (url: string, form: URLSearchParams) => Promise<unknown>;

/** Longer answers to captchas are none. */
const responseLengthMax = 8_192;

/** A captcha, solved in the browser and checked with its maker (CS 1.19, "Google ReCaptcha"). */
export function captchaStage(config: CaptchaConfig, post: PostForm): UiAuthStage {
  return {
    params: () => ({ public_key: config.publicKey }),
    async check(auth, { request }) {
      const { response } = auth;
      if (typeof response !== 'string' || response === '' || response.length > responseLengthMax) {
        throw new StageFailed('M_CAPTCHA_NEEDED', 'Captcha is required');
      }
      const form = new URLSearchParams({
        secret: config.privateKey,
        response,
        remoteip: request.remoteAddress,
      });
      const answer = await post(config.verifyUrl, form).catch((cause: unknown) => {
        throw new Error('captchas cannot be checked', { cause });
      });
      const isSolved = (answer as { success?: unknown } | null)?.success === true;
      if (!isSolved) throw new StageFailed('M_CAPTCHA_INVALID', 'The captcha was not solved');
      return true;
    },
  };
}
