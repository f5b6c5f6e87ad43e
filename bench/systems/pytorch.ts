// PyTorch as Debian packages it, on one thread and on two.
import { join } from 'node:path'
import { lastLine, root, runToEnd, type System } from './system.ts'

// Without OpenBLAS Debian's PyTorch multiplies by the reference BLAS, 40 times slower.
const packages = ['python3-torch', 'libopenblas0-pthread']

function missing(): string[] {
  return packages.filter((name) => {
    const { code, output } = runToEnd('dpkg-query', ['-s', name])
    return code !== 0 || !output.includes('Status: install ok installed')
  })
}

const on = (name: string, threads: number): System => ({
  name,
  kind: 'peer',
  prepare: ({ install }) => {
    let wanted = missing()
    if (install && wanted.length > 0) {
      console.log(`installing ${wanted.join(' ')}`)
      const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n']
      const apt = ['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...wanted]
      const [command = '', ...args] = [...prefix, ...apt]
      const { code, output } = runToEnd(command, args)
      if (code !== 0) return `apt-get install failed: ${lastLine(output)}`
      wanted = missing()
    }
    if (wanted.length > 0) {
      return `${wanted.join(' and ')} not installed (npm run bench -- --install)`
    }
    return {
      command: '/usr/bin/python3',
      args: [join(root, 'bench', 'peers', 'pytorch.py'), String(threads)],
      env: { OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads) },
    }
  },
})

export const pytorch: System = on('pytorch', 1)
export const pytorchThreads: System = on('pytorch-2', 2)
