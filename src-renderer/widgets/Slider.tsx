import type { ReactNode } from 'react'
import { Slider as AriaSlider, Label, SliderOutput, SliderThumb, SliderTrack } from 'react-aria-components'

interface SliderProps {
  label: string
  hint?: ReactNode
  min: number
  max: number
  step: number
  value: number
  /** The value as it is read, with its unit. */
  shown: string
  disabled?: boolean
  onChange: (value: number) => void
  /** When the hand lets go. */
  onChangeEnd?: (value: number) => void
}

export function Slider(props: SliderProps) {
  const { label, hint, min, max, step, value, shown, disabled = false, onChange, onChangeEnd } = props
  return (
    <div className="slider">
      <AriaSlider
        className="slider__control"
        minValue={min}
        maxValue={max}
        step={step}
        value={value}
        isDisabled={disabled}
        onChange={(next) => onChange(next as number)}
        {...(onChangeEnd === undefined
          ? {}
          : { onChangeEnd: (next: number | number[]) => onChangeEnd(next as number) })}
      >
        <Label className="slider__label">{label}</Label>
        <SliderOutput className="slider__value figures">{shown}</SliderOutput>
        <SliderTrack className="slider__track">
          <SliderThumb className="slider__thumb" />
        </SliderTrack>
      </AriaSlider>
      {hint === undefined ? null : <p className="slider__hint">{hint}</p>}
    </div>
  )
}
