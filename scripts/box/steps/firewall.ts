import { createHash } from 'node:crypto';
import { isWithin } from '../../../ssh/networks.ts';
import { asRoot, rootScript, writeFile } from '../box-command.ts';
import type { BoxFacts } from '../facts.ts';
import { BoxProblem } from '../problem.ts';
import { type BoxStep, type BoxWishes, inPlace, missing } from '../step.ts';

const table = 'inet conversation_kit';
const file = '/etc/conversation-kit/firewall.nft';
const unit = 'conversation-kit-firewall';
const before = `/run/${unit}-before.nft`;
const undoTimer = `${unit}-undo`;

/**
 * A table of its own, beside those of Docker and of ufw, which it leaves alone: what comes in has to pass all of them.
 * Docker's published ports do not come in, though, they are forwarded, past every rule about what comes in; so the
 * second chain is about those, before Docker's own. Replaced as one: there is no moment without it.
 */
export function firewallRules({ sshFrom, published }: BoxWishes, { sshPort }: Pick<BoxFacts, 'sshPort'>): string {
  const from = (family: 4 | 6) => sshFrom.filter((network) => network.includes(':') === (family === 6));
  const sources = [
    ...(from(4).length > 0 ? [`ip saddr { ${from(4).join(', ')} }`] : []),
    ...(from(6).length > 0 ? [`ip6 saddr { ${from(6).join(', ')} }`] : []),
  ];
  const openPorts = published?.ports.join(', ');
  const inbound = [
    'ct state established,related accept',
    'ct state invalid drop',
    'iif lo accept',
    'ip protocol icmp accept',
    'meta l4proto ipv6-icmp accept',
    'udp sport 67 udp dport 68 accept comment "DHCP"',
    'ip6 saddr fe80::/10 udp dport 546 accept comment "DHCPv6"',
    'udp dport 5353 ip daddr 224.0.0.251 accept comment "its name in the LAN (.local)"',
    'udp dport 5353 ip6 daddr ff02::fb accept',
    ...sources.map((source) => `${source} tcp dport ${sshPort} accept comment "SSH"`),
    ...(published ? sources.map((source) => `${source} tcp dport { ${openPorts} } accept comment "the stack"`) : []),
  ];
  const forwarded = [
    'ct state established,related accept',
    'iifname "docker0" accept',
    'iifname "br-*" accept',
    ...(published
      ? sources.map(
          (source) => `${source} meta l4proto tcp ct original proto-dst { ${openPorts} } accept comment "the stack"`,
        )
      : []),
    'ct status dnat drop',
  ];
  const chains = `  chain inbound {
    type filter hook input priority -10; policy drop;
${inbound.map((rule) => `    ${rule}\n`).join('')}  }
  chain forwarded {
    type filter hook forward priority -10; policy accept;
${forwarded.map((rule) => `    ${rule}\n`).join('')}  }
`;
  return `# Written by "npm run box -- prepare": what is changed here is overwritten by the next one.
table ${table}
delete table ${table}
table ${table} {
  chain ${versionOf(chains)} { }
${chains}}
`;
}

/** The loaded rules say which ones they are by the name of an empty chain. */
const versionOf = (chains: string) => `rules_${createHash('sha256').update(chains).digest('hex').slice(0, 12)}`;
const versionIn = (rules: string) => /chain (rules_\w+)/.exec(rules)?.[1] ?? '';

const service = `[Unit]
Description=Firewall of conversation-kit: nothing inbound but SSH from the LAN
After=nftables.service ufw.service
Before=network-pre.target docker.service
Wants=network-pre.target
DefaultDependencies=no
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file ${file}
ExecReload=/usr/sbin/nft --file ${file}
ExecStop=/usr/sbin/nft delete table ${table}

[Install]
WantedBy=multi-user.target
`;

/** What the box goes back to by itself, unless a new login has worked by then. */
const undo = rootScript(`nft --file ${before}`, `systemctl stop ${undoTimer}.timer`);

export const firewall: BoxStep = {
  name: 'Firewall',
  remedy:
    'The rules that were there before are back, or will be within a minute. See on the box: sudo nft list ruleset',
  check: (wishes, facts) => {
    const version = versionIn(firewallRules(wishes, facts));
    const loaded = `nft list chain ${table} ${version} >/dev/null 2>&1 && echo loaded`;
    return rootScript(
      `${loaded} || true`,
      `systemctl is-enabled ${unit} 2>/dev/null || true`,
      `cat ${file} 2>/dev/null || true`,
    );
  },
  judge: ({ stdout }, wishes, facts) => {
    demandWayIn(wishes, facts);
    const rules = firewallRules(wishes, facts).trimEnd();
    const open = [`SSH (${facts.sshPort})`, ...(wishes.published?.ports ?? [])].join(', ');
    const words = `nothing inbound but ${open} from ${wishes.sshFrom.length > 2 ? 'the LAN' : wishes.sshFrom.join(', ')}`;
    return stdout === `loaded\nenabled\n${rules}` ? inPlace(words) : missing(words);
  },
  apply: (wishes, facts) => [
    writeFile(`${file}.wanted`, firewallRules(wishes, facts)),
    asRoot('nft', '--check', '--file', `${file}.wanted`),
    writeFile(`/etc/systemd/system/${unit}.service`, service),
    rootScript(
      `printf 'table ${table}\\ndelete table ${table}\\n' >${before}`,
      `nft list table ${table} >>${before} 2>/dev/null || true`,
      `systemctl stop ${undoTimer}.timer 2>/dev/null || true`,
      `systemd-run --collect --unit=${undoTimer} --on-active=60 nft --file ${before}`,
    ),
    asRoot('nft', '--file', `${file}.wanted`),
    { proveLogin: true, undo },
    rootScript(
      `systemctl stop ${undoTimer}.timer`,
      `mv ${file}.wanted ${file}`,
      `systemctl daemon-reload`,
      `systemctl enable ${unit}`,
      `systemctl reload-or-restart ${unit}`,
    ),
  ],
};

/** Whoever prepares the box has to be let in afterwards, too. */
function demandWayIn({ sshFrom }: BoxWishes, { client }: BoxFacts): void {
  if (client === '' || sshFrom.some((network) => isWithin(client, network))) return;
  throw new BoxProblem(
    `You come from ${client}, which the firewall would not let in: it lets SSH in from ${sshFrom.join(', ')} only`,
    `Say from where else: --ssh-from ${client}${client.includes(':') ? '/128' : '/32'}`,
  );
}
