// The learning curve as an SVG picture: loss on the left, accuracy on the right.
import { init } from 'echarts'

export interface Epoch {
  readonly loss: number
  readonly trainAccuracy: number
  readonly testAccuracy: number
}

/** SVG text; ECharts draws it without a browser. */
export function curve(history: readonly Epoch[]): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 880, height: 360 })
  const line = (name: string, axis: number, values: readonly number[]) => ({
    name,
    type: 'line' as const,
    xAxisIndex: axis,
    yAxisIndex: axis,
    data: [...values],
  })
  const axis = {
    type: 'category' as const,
    name: 'epoch',
    nameLocation: 'middle' as const,
    nameGap: 28,
    data: history.map((_, i) => `${i}`),
  }
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    legend: { top: 4, itemGap: 28 },
    grid: [
      { left: 56, width: 340, top: 64, bottom: 48 },
      { left: 480, width: 340, top: 64, bottom: 48 },
    ],
    xAxis: [
      { ...axis, gridIndex: 0 },
      { ...axis, gridIndex: 1 },
    ],
    yAxis: [
      { type: 'value', name: 'loss', gridIndex: 0, min: 0 },
      { type: 'value', name: 'accuracy', gridIndex: 1, scale: true },
    ],
    series: [
      line(
        'loss',
        0,
        history.map(({ loss }) => loss),
      ),
      line(
        'training accuracy',
        1,
        history.map(({ trainAccuracy }) => trainAccuracy),
      ),
      line(
        'test accuracy',
        1,
        history.map(({ testAccuracy }) => testAccuracy),
      ),
    ],
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}
