import { credentialsOf } from '../auth/identity.ts';
import { prepareStorageRequest } from '../storage/prepare-request.ts';
import { withErrorCode } from '../storage/refusal.ts';
import { hostedOnly, invalidKey } from './answers.ts';
import { withoutMarks } from './marked-messages.ts';
import { type Call, identify, type SurfaceParts } from './surface.ts';

/** /storage/v1: buckets and files. */
export async function answerStorage(call: Call, { lite, keyring, maxFileSize }: SurfaceParts): Promise<Response> {
  const { request, url, scope } = call;
  const { method } = request;
  const { apiKey } = credentialsOf(request, url);
  if (apiKey !== undefined && (await keyring.resolveKey(apiKey)) === undefined) return invalidKey();
  const left = /^\/storage\/v1\/(render|object\/list-v2)(?:\/|$)/.exec(url.pathname)?.[1];
  if (left !== undefined) return hostedOnly(`Storage's ${left}`);

  const headers = await identify(call, keyring);
  // The same body stream, not a copy of it: what is left of it can still be read when the answer is ready.
  const identified = new Request(request.url, { method, headers, body: request.body, duplex: 'half' });
  const prepared = await prepareStorageRequest(identified, url, scope, maxFileSize);
  if (prepared instanceof Response) return withErrorCode(prepared);
  const response = await lite.fetch(prepared);
  if (scope.storageReply !== undefined) return withErrorCode(withCrossOriginHeaders(scope.storageReply, response));
  if (!response.ok) return withErrorCode(response);
  const isFile = method === 'GET' && /^\/storage\/v1\/object\/(?!info\/)/.test(url.pathname);
  return isFile ? asDownload(response, url.searchParams.get('download')) : withoutMarks(response);
}

/** `?download=name` has a browser save the file instead of showing it. */
function asDownload(response: Response, name: string | null): Response {
  if (name === null) return response;
  const parameter = name === '' ? '' : `; filename*=UTF-8''${encodeURIComponent(name)}`;
  response.headers.set('content-disposition', `attachment${parameter}`);
  return response;
}

/** The answer that takes the place of lite's, open to the same origins. */
function withCrossOriginHeaders(answer: Response, replaced: Response): Response {
  for (const [name, value] of replaced.headers) {
    if (name === 'vary' || name.startsWith('access-control-')) answer.headers.set(name, value);
  }
  return answer;
}
