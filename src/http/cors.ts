/** Headers that let web clients of any origin use the API (client-server spec, "Web Browser Clients"). */
export const corsHeaders = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS',
  'Access-Control-Allow-Headers':
    'X-Requested-With, Content-Type, Authorization, Date, X-Matrix, If-Match, If-None-Match',
  'Access-Control-Expose-Headers': 'Retry-After, X-Request-Id',
} as const;
