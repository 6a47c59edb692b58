import { Check, ChevronDown } from 'lucide-react'
import {
  Select as AriaSelect,
  Button,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  SelectValue,
} from 'react-aria-components'

interface SelectProps<T extends string> {
  label: string
  labelHidden?: boolean
  /** `lang` where an option is not in the window's language. */
  options: readonly { value: T; label: string; lang?: string }[]
  value: T
  disabled?: boolean
  onChange: (value: T) => void
}

export function Select<T extends string>(props: SelectProps<T>) {
  const { label, labelHidden = false, options, value, disabled = false, onChange } = props
  return (
    <AriaSelect
      className="select"
      selectedKey={value}
      isDisabled={disabled}
      onSelectionChange={(key) => {
        if (key !== null) onChange(key as T)
      }}
    >
      <Label className={labelHidden ? 'visually-hidden' : 'select__label'}>{label}</Label>
      <Button className="select__button">
        <SelectValue className="select__value">
          {options.find((option) => option.value === value)?.label ?? null}
        </SelectValue>
        <ChevronDown size={15} aria-hidden="true" />
      </Button>
      <Popover className="popover">
        <ListBox className="menu">
          {options.map((option) => (
            <ListBoxItem key={option.value} id={option.value} textValue={option.label} className="menu__item">
              <span lang={option.lang}>{option.label}</span>
              <Check className="menu__tick" size={15} aria-hidden="true" />
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </AriaSelect>
  )
}
