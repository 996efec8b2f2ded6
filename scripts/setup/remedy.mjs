const again = 'then run the same command again: it goes on from here.';

/** What tools say, and what it means to the person. */
const known = [
  {
    said: /no space left on device|ENOSPC|disk quota exceeded/i,
    remedy: `The disk is full. Free some space (the step's log says where), ${again}`,
  },
  {
    said: /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|no such host|temporary failure (in name )?resol|could not resolve|i\/o timeout|TLS handshake timeout|network is unreachable|connection timed out|proxyconnect|unable to connect|SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF/i,
    remedy: `The network did not deliver. See that this machine reaches what is named above (behind a proxy: HTTPS_PROXY, and npm config set cafile where it has certificates of its own), ${again}`,
  },
  {
    said: /EACCES|EPERM|permission denied/i,
    remedy: `A file belongs to somebody else, perhaps because of an earlier run with sudo: sudo chown -R "$(id -u):$(id -g)" . , ${again}`,
  },
  {
    said: /could not get lock|dpkg frontend lock/i,
    remedy: `Another program is installing packages. Let it finish, ${again}`,
  },
  {
    said: /signal: killed|out of memory|ended by SIGKILL/i,
    remedy: `Something killed it, most likely for want of memory. Give the machine 4 GB or some swap, ${again}`,
  },
];

/**
 * What to do about a tool that failed, by what it printed.
 *
 * @param {readonly string[]} lines
 * @returns {string}
 */
export function remedyFor(lines) {
  const text = lines.join('\n');
  return known.find(({ said }) => said.test(text))?.remedy ?? `Mend what is said above, ${again}`;
}
