// Reads Parquet files with hyparquet, which shares no code with the writer, and
// prints a line of JSON for each row: [file, row].
import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { parquetReadObjects } from 'hyparquet'

const parsers = {
  timestampFromNanoseconds: (ns) => {
    const day = new Date(Number(ns / 1000000n)).toISOString().slice(0, 19)
    const fraction = (ns % 1000000000n).toString().padStart(9, '0').replace(/0+$/, '')
    return fraction ? `${day}.${fraction}` : day
  },
  dateFromDays: (days) => days,
}

const plain = (key, value) => {
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
  }
  if (value === undefined || value === null) {
    return null // hyparquet leaves out arrays and groups that are null
  }
  return key === 'price' ? value.toFixed(2) : value
}

for (const name of process.argv.slice(2)) {
  const bytes = await readFile(name)
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  const rows = await parquetReadObjects({
    file,
    parsers,
    compressors: { GZIP: (input) => new Uint8Array(gunzipSync(input)) },
  })
  process.stdout.write(rows.map((row) => JSON.stringify([name, row], plain) + '\n').join(''))
}
