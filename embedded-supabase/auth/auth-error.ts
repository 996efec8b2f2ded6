/** A refusal as Auth words it; becomes the answer of the request. */
export class AuthError extends Error {
  override readonly name = 'AuthError';
  readonly status: number;
  readonly errorCode: string;

  constructor(status: number, errorCode: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.errorCode = errorCode;
  }

  toResponse(): Response {
    return authErrorResponse(this.status, this.errorCode, this.message);
  }
}

export function authErrorResponse(status: number, errorCode: string, message: string): Response {
  return Response.json(
    { code: status, error_code: errorCode, msg: message },
    { status, headers: { 'x-sb-error-code': errorCode } },
  );
}
