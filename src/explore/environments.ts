// The environments that boots are compared under: everything that the host would decide and the image does not.
// Values are chosen to differ from each other in every character, so that what comes from them never looks literal, and
// of any two files in a directory the second environment lists the other one first.
import type { EnvironmentValues } from '../linux/index.ts';

/** An environment, with the text that its clients use where a request may name anything. */
export interface Environment {
  readonly values: EnvironmentValues;
  readonly token: string;
}

export const ENVIRONMENTS: readonly Environment[] = [
  {
    values: {
      time: 1_700_000_000_123_456_789n,
      hostName: 'b7c1f0e2a934',
      firstPid: 12,
      seed: 1,
      cpus: 2,
      memory: 4 * 2 ** 30,
      kernelRelease: '6.1.0-18-amd64',
      address: '172.17.0.2',
      gateway: '172.17.0.1',
      nameserver: '172.17.0.53',
      clientAddress: '203.0.113.7',
      clientPort: 40_312,
      uptime: 86_412_318_846_215n,
      bootId: '3f1c9a52-0b7e-4d18-9c66-52a1e07d4b90',
      disks: ['vda', 'vdb'],
      listing: 'by name',
    },
    token: 'qzkva',
  },
  {
    values: {
      time: 2_091_827_364_987_654_321n,
      hostName: '4ed905b71c6f',
      firstPid: 4730,
      seed: 7_919,
      cpus: 4,
      memory: 9 * 2 ** 30,
      kernelRelease: '5.15.167-cos',
      address: '10.88.3.41',
      gateway: '10.88.0.9',
      nameserver: '10.96.4.10',
      clientAddress: '98.51.100.230',
      clientPort: 51_747,
      uptime: 3_901_755_402_971n,
      bootId: 'c80e64b7-94d3-4af1-8e0b-9d7f5613ea2c',
      disks: ['nvme0n1', 'nvme1n1', 'nvme2n1'],
      listing: 'backwards',
    },
    token: 'wjxpb',
  },
  {
    values: {
      time: 1_845_936_278_555_111_999n,
      hostName: 'd02a8e6f9b57',
      firstPid: 309_815,
      seed: 104_729,
      cpus: 1,
      memory: 2 ** 30 + 2 ** 29,
      kernelRelease: '6.12.9-200.fc41.x86_64',
      address: '192.168.214.130',
      gateway: '192.168.214.254',
      // an internal network: no route leads outside
      nameserver: '',
      clientAddress: '66.249.88.19',
      clientPort: 36_058,
      uptime: 777_215_960_137_486n,
      bootId: '95b7d2e8-a64f-4c03-b5d9-06e8cf21479d',
      disks: ['sdc', 'sdd'],
      listing: 'hashed',
    },
    token: 'ghmyu',
  },
];

/** Client ports that one scenario may use. */
export const CLIENT_PORTS = 64;

/** Texts that belong to the environment and to nothing else: none of them may be a literal in a policy. */
export function knownTexts({ values, token }: Environment): readonly string[] {
  const { hostName, address, gateway, nameserver, clientAddress, clientPort, kernelRelease, bootId } = values;
  const ports = Array.from({ length: CLIENT_PORTS }, (_, i) => String(clientPort + i));
  const texts = [
    hostName,
    address,
    gateway,
    nameserver,
    clientAddress,
    kernelRelease,
    bootId,
    token,
    ...ports,
  ];
  return texts.filter((text) => text !== '');
}
