import type { HardwarePorts, SystemLibrary } from '../index.ts'

/** A machine as a test describes it: what its programs print and its files hold. */
export interface Machine {
  platform: string
  architecture?: string
  memoryTotalBytes?: number
  /** Standard output by program; a program that is not here is not installed. */
  programs?: Record<string, string>
  files?: Record<string, string>
  library?: Partial<SystemLibrary>
}

/** Ports onto that machine; `calls` collects the programs that were started. */
export function portsOf(machine: Machine): HardwarePorts & { calls: string[]; setTime(atMs: number): void } {
  const files = new Map(Object.entries(machine.files ?? {}))
  const calls: string[] = []
  let nowMs = 0
  return {
    calls,
    setTime: (atMs) => {
      nowMs = atMs
    },
    platform: machine.platform,
    architecture: machine.architecture ?? 'x64',
    clock: { nowMs: () => nowMs },
    node: { cpuModel: 'Some CPU', cores: 8, memoryTotalBytes: machine.memoryTotalBytes ?? 32 * 1024 ** 3 },
    run: async (program) => {
      calls.push(program)
      return machine.programs?.[program] ?? null
    },
    readText: async (path) => files.get(path) ?? null,
    list: async (path) => {
      const below = [...files.keys()].filter((file) => file.startsWith(`${path}/`))
      return [...new Set(below.map((file) => file.slice(path.length + 1).split('/')[0] ?? ''))]
    },
    library: {
      cpu: async () => ({ manufacturer: 'Maker', brand: 'Brand', cores: 8, physicalCores: 4 }),
      mem: async () => ({ total: 32 * 1024 ** 3, available: 20 * 1024 ** 3 }),
      graphics: async () => ({ controllers: [] }),
      battery: async () => ({ hasBattery: false, percent: 0, isCharging: false, acConnected: true }),
      cpuTemperature: async () => ({ main: null }),
      ...machine.library,
    },
  }
}

/** `nvidia-smi --query-gpu=uuid,name,… --format=csv,noheader,nounits`, as its manual describes the form. */
const NVIDIA_SMI = [
  'GPU-1f0c7e1a-5b6d-4c8e-9a2f-0d1e2f3a4b5c, NVIDIA GeForce RTX 4090, 560.35.03, 24564, 1043, 37, 54, 112.46',
  'GPU-2a1b3c4d-6e7f-4809-8b1a-2c3d4e5f6071, NVIDIA GeForce GTX 1060 6GB, 560.35.03, 6144, 12, [N/A], 41, [N/A]',
  '',
].join('\n')

/** `lspci -D -mm -nn`; the names are those of the public PCI id database. */
const LSPCI_NVIDIA = [
  '0000:00:00.0 "Host bridge [0600]" "Intel Corporation [8086]" "Device [a700]" -r01 -p00 "" ""',
  '0000:00:02.0 "VGA compatible controller [0300]" "Intel Corporation [8086]" "Raptor Lake-S GT1 [UHD Graphics 770] [a780]" -r04 -p00 "" ""',
  '0000:01:00.0 "VGA compatible controller [0300]" "NVIDIA Corporation [10de]" "AD102 [GeForce RTX 4090] [2684]" -ra1 -p00 "" ""',
  '0000:01:00.1 "Audio device [0403]" "NVIDIA Corporation [10de]" "AD102 High Definition Audio Controller [22ba]" -ra1 -p00 "" ""',
  '',
].join('\n')

const LSPCI_AMD =
  '0000:0b:00.0 "VGA compatible controller [0300]" "Advanced Micro Devices, Inc. [AMD/ATI]" "Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M] [744c]" -rc8 -p00 "" ""\n'

const AMD_DEVICE = '/sys/class/drm/card1/device'

/** amdgpu's files, as docs.kernel.org describes them. */
const AMD_FILES: Record<string, string> = {
  [`${AMD_DEVICE}/vendor`]: '0x1002\n',
  [`${AMD_DEVICE}/uevent`]: 'DRIVER=amdgpu\nPCI_CLASS=30000\nPCI_ID=1002:744C\nPCI_SLOT_NAME=0000:0b:00.0\n',
  [`${AMD_DEVICE}/mem_info_vram_total`]: '25753026560\n',
  [`${AMD_DEVICE}/mem_info_vram_used`]: '1288699904\n',
  [`${AMD_DEVICE}/gpu_busy_percent`]: '93\n',
  [`${AMD_DEVICE}/hwmon/hwmon4/temp1_input`]: '61000\n',
  [`${AMD_DEVICE}/hwmon/hwmon4/power1_average`]: '287000000\n',
  '/sys/class/drm/card1-DP-1/status': 'connected\n',
}

const RAPL_FILES: Record<string, string> = {
  '/sys/class/powercap/intel-rapl/enabled': '1\n',
  '/sys/class/powercap/intel-rapl:0/energy_uj': '123456789012\n',
  '/sys/class/powercap/intel-rapl:0:0/energy_uj': '99999\n',
  '/sys/class/powercap/intel-rapl:1/energy_uj': '1000000\n',
}

/** `system_profiler SPDisplaysDataType -json`, reduced to one display. */
const SYSTEM_PROFILER = JSON.stringify({
  SPDisplaysDataType: [
    {
      _name: 'Apple M4 Pro',
      spdisplays_mtlgpufamilysupport: 'spdisplays_metal3',
      spdisplays_ndrvs: [{ _name: 'Some Display', _spdisplays_pixels: '5120 x 2880' }],
      spdisplays_vendor: 'sppci_vendor_Apple',
      sppci_bus: 'spdisplays_builtin',
      sppci_cores: '20',
      sppci_device_type: 'spdisplays_gpu',
      sppci_model: 'Apple M4 Pro',
    },
  ],
})

export const GAMING_PC: Machine = {
  platform: 'linux',
  programs: { 'nvidia-smi': NVIDIA_SMI, lspci: LSPCI_NVIDIA },
  files: RAPL_FILES,
}
export const PC_WITHOUT_DRIVER: Machine = { platform: 'linux', programs: { lspci: LSPCI_NVIDIA } }
export const AMD_PC: Machine = { platform: 'linux', programs: { lspci: LSPCI_AMD }, files: AMD_FILES }
export const MAC_MINI: Machine = {
  platform: 'darwin',
  architecture: 'arm64',
  memoryTotalBytes: 48 * 1024 ** 3,
  programs: { '/usr/sbin/system_profiler': SYSTEM_PROFILER },
}
export const SERVER: Machine = { platform: 'linux' }
export const WINDOWS_PC: Machine = {
  platform: 'win32',
  library: {
    graphics: async () => ({
      controllers: [
        {
          vendor: 'Advanced Micro Devices, Inc.',
          model: 'AMD Radeon RX 7800 XT',
          busAddress: '0000:03:00.0',
          vram: 16_368,
          driverVersion: '32.0.12019.1028',
        },
        { vendor: 'Microsoft', model: 'Microsoft Basic Display Adapter', vram: 0 },
      ],
    }),
  },
}
