import { MatrixError } from '../kernel/errors.ts';

/**
 * Digits of a phone number with its country's prefix. `country`: two letters of ISO 3166. Rejects
 * with M_INVALID_PARAM.
 */
export async function canonicalMsisdn(country: string, number: string): Promise<string> {
  // Its tables are large, and phone numbers are rare.
  const { parsePhoneNumberFromString, isSupportedCountry } = await import('libphonenumber-js/min');
  const region = country.toUpperCase();
  const parsed = isSupportedCountry(region)
    ? parsePhoneNumberFromString(number, region)
    : parsePhoneNumberFromString(number);
  if (!parsed?.isPossible()) {
    throw new MatrixError('M_INVALID_PARAM', 'Unable to parse phone number');
  }
  return parsed.number.slice(1);
}
