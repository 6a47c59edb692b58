import { z } from 'zod'

/**
 * An immutable map whose update copies one shard, not the whole: replay stays near linear with many nodes. Keys are
 * hex ids, so their first two characters spread evenly over 256 shards.
 */
export type Table<T> = ReadonlyMap<string, ReadonlyMap<string, T>>

export function emptyTable<T>(): Table<T> {
  return new Map()
}

const shardOf = (key: string): string => key.slice(0, 2)

export function tableGet<T>(table: Table<T>, key: string): T | undefined {
  return table.get(shardOf(key))?.get(key)
}

export function tableSet<T>(table: Table<T>, key: string, value: T): Table<T> {
  const shard = new Map(table.get(shardOf(key)))
  shard.set(key, value)
  return new Map(table).set(shardOf(key), shard)
}

export function tableDelete<T>(table: Table<T>, key: string): Table<T> {
  const shard = new Map(table.get(shardOf(key)))
  if (!shard.delete(key)) return table
  const next = new Map(table)
  if (shard.size === 0) next.delete(shardOf(key))
  else next.set(shardOf(key), shard)
  return next
}

/** Sorted by key: the order does not depend on history. */
export function tableEntries<T>(table: Table<T>): [string, T][] {
  const entries = [...table.values()].flatMap((shard) => [...shard.entries()])
  return entries.sort(([left], [right]) => (left < right ? -1 : 1))
}

/** JSON object on disk, `Table` in memory. `key` and `value` are schemas or codecs. */
export function tableCodec<V extends z.ZodType>(key: z.ZodString, value: V) {
  const InMemory = z.custom<Table<z.output<V>>>((input) => input instanceof Map)
  return z.codec(z.record(key, value), InMemory, {
    decode: (record) => {
      const shards = new Map<string, Map<string, z.output<V>>>()
      for (const [id, entry] of Object.entries(record)) {
        const shard = shards.get(shardOf(id)) ?? new Map<string, z.output<V>>()
        shards.set(shardOf(id), shard.set(id, entry as z.output<V>))
      }
      return shards
    },
    encode: (table) =>
      Object.fromEntries(tableEntries(table)) as z.input<typeof InMemory> & Record<string, never>,
  })
}
