// The page: a choice of devices, buttons, curves, and a sheet to draw a digit on. The worker does everything that takes time.
import type { Device, Reply, Request } from './messages.ts'
import { makeSheet, showDigit, showWeights } from './sheet.ts'

const epochs = 4
const imagesOfEpoch = 60_000

function byId<E extends HTMLElement>(id: string): E {
  const found = document.querySelector<E>(`#${id}`)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}
const status = byId('status')
const devices = byId<HTMLFieldSetElement>('devices')
const trainButton = byId<HTMLButtonElement>('train')
const progress = byId<HTMLProgressElement>('progress')
const verdict = byId('verdict')
const hint = byId('hint')
const note = byId('note')
const seen = byId<HTMLCanvasElement>('seen')
const weights = byId<HTMLCanvasElement>('weights')
const bars = [...byId('bars').querySelectorAll<HTMLElement>('.bar')]

// The worker's name tells it where the page is: its own address is that of a script.
const worker = new Worker(new URL('./trainer.ts', import.meta.url), {
  type: 'module',
  name: document.baseURI,
})
const ask = (request: Request): void => worker.postMessage(request)

let training = false
/** What stands where curves will be. */
const before = ['loss', 'accuracy'].map((id) => [byId(id), byId(id).innerHTML] as const)
const guessing = note.textContent
const percent = (part: number): string => `${(100 * part).toFixed(1)} %`
const count = (n: number): string => Math.round(n).toLocaleString('en')

function say(text: string, bad = false): void {
  status.textContent = text
  status.classList.toggle('error', bad)
}

function setTraining(now: boolean): void {
  training = now
  trainButton.textContent = now ? 'Stop' : 'Train'
  trainButton.disabled = false
  devices.disabled = now
}

const chosen = (): Device =>
  document.querySelector<HTMLInputElement>('input[name=device]:checked')!.value as Device

function showDevices({ cpu, gpu }: Extract<Reply, { type: 'ready' }>): void {
  byId('about-cpu').textContent = cpu
  byId('about-gpu').textContent = gpu.about
  document.querySelector<HTMLInputElement>('input[value=gpu]')!.disabled = !gpu.usable
}

worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
  switch (data.type) {
    case 'ready':
      byId('network').textContent = data.network
      byId('picture').innerHTML = data.picture
      showWeights(weights, data.weights)
      showDevices(data)
      say('Ready: press Train.')
      setTraining(false)
      break
    case 'progress':
      progress.value = (data.epoch + data.images / imagesOfEpoch) / epochs
      say(`Pass ${data.epoch + 1} of ${epochs} over the digits, on the ${chosen().toUpperCase()}`)
      byId('figure-loss').textContent = data.loss.toFixed(3)
      byId('figure-speed').textContent = count(data.perSecond)
      byId('loss').innerHTML = data.picture
      showWeights(weights, data.weights)
      recognise()
      break
    case 'tested':
      byId('result').textContent = percent(data.accuracy)
      byId('result').dataset.accuracy = String(data.accuracy)
      byId('accuracy').innerHTML = data.picture
      note.textContent = `It reads ${percent(data.accuracy)} of digits it has never seen.`
      recognise()
      break
    case 'stopped': {
      const took = `${data.seconds.toFixed(1)} s on the ${chosen().toUpperCase()}`
      if (data.finished) progress.value = 1
      say(data.finished ? `Trained in ${took}. Now draw a digit.` : `Stopped after ${took}.`)
      setTraining(false)
      break
    }
    case 'recognised':
      showVerdict(data.probabilities)
      break
    case 'failed':
      say(data.message, true)
      setTraining(false)
      break
    default:
      data satisfies never
  }
})
worker.addEventListener('error', (event) => {
  say(`The worker failed: ${event.message || 'its script does not load'}`, true)
})

trainButton.addEventListener('click', () => {
  if (training) {
    trainButton.disabled = true
    say('Stopping …')
    ask({ type: 'stop' })
    return
  }
  setTraining(true)
  progress.value = 0
  for (const id of ['figure-loss', 'figure-speed', 'result']) byId(id).textContent = '–'
  delete byId('result').dataset.accuracy
  for (const [place, text] of before) place.innerHTML = text
  note.textContent = guessing
  say('Fetching 60,000 digits …')
  ask({ type: 'train', device: chosen(), epochs })
})

const sheet = makeSheet(byId<HTMLCanvasElement>('sheet'), {
  begun: () => {
    hint.hidden = true
  },
  drawn: recognise,
})

function recognise(): void {
  const digit = sheet.digit()
  if (digit === null) return
  showDigit(seen, digit)
  ask({ type: 'recognise', pixels: digit })
}

byId('clear').addEventListener('click', () => {
  sheet.clear()
  hint.hidden = false
  verdict.textContent = '?'
  byId('sure').textContent = ''
  for (const bar of bars) {
    bar.style.setProperty('--part', '0')
    bar.className = 'bar'
  }
  seen.getContext('2d')!.clearRect(0, 0, seen.width, seen.height)
})

function showVerdict(probabilities: readonly number[]): void {
  // The answer to a digit that has been wiped away meanwhile is no answer.
  if (sheet.digit() === null) return
  const best = probabilities.indexOf(Math.max(...probabilities))
  verdict.textContent = String(best)
  byId('sure').textContent = percent(probabilities[best]!)
  bars.forEach((bar, i) => {
    bar.style.setProperty('--part', String(probabilities[i]))
    bar.title = percent(probabilities[i]!)
    bar.classList.toggle('best', i === best)
    bar.classList.toggle('high', probabilities[i]! > 0.25)
  })
}
