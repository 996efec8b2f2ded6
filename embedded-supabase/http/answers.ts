const openToBrowsers = { 'access-control-allow-origin': '*' };

/** 501: the call is right, but only hosted Supabase answers it. */
export function hostedOnly(what: string): Response {
  const message = `${what} works on hosted Supabase only; the embedded one of the local stack leaves it out`;
  return Response.json(
    {
      code: 501,
      error_code: 'hosted_only',
      msg: message,
      message,
      hint: 'docs/embedded-supabase.md lists what is left out',
    },
    { status: 501, headers: openToBrowsers },
  );
}

/** 503 while PostgreSQL is away: every client library shows its words, and may try again. */
export function unavailable(message: string): Response {
  return Response.json(
    {
      code: 'database_unavailable',
      error_code: 'database_unavailable',
      error: 'database_unavailable',
      message,
      msg: message,
    },
    { status: 503, headers: { ...openToBrowsers, 'retry-after': '1' } },
  );
}

export function notFound(): Response {
  return Response.json(
    { code: 404, message: 'not found', hint: 'the API is under /rest/v1, /auth/v1 and /storage/v1' },
    { status: 404 },
  );
}

export function invalidKey(): Response {
  return Response.json(
    { message: 'Invalid API key', hint: 'Double check your Supabase `apikey`' },
    { status: 401, headers: { ...openToBrowsers, 'sb-error-code': 'UNAUTHORIZED_INVALID_API_KEY' } },
  );
}
