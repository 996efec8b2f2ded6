import { withExactFilters } from '../database/exact-filters.ts';
import { markRowsBody } from '../database/exact-values.ts';
import { markedBody, withoutMarks } from './marked-messages.ts';
import { type Call, identify, type SurfaceParts } from './surface.ts';

/** /rest/v1: rows and functions. */
export async function answerRest(call: Call, { lite, keyring }: SurfaceParts): Promise<Response> {
  const { request, url } = call;
  const outgoing = await markedBody(request, await identify(call, keyring), markRowsBody);
  const { method } = request;
  return withoutMarks(await lite.fetch(new Request(withExactFilters(url), { method, ...outgoing, duplex: 'half' })));
}
