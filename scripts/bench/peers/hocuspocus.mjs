// Hocuspocus as its documentation configures it. PORT; DATABASE is an SQLite file, none for memory.
import { Server } from '@hocuspocus/server'
import { SQLite } from '@hocuspocus/extension-sqlite'

const extensions = process.env.DATABASE ? [new SQLite({ database: process.env.DATABASE })] : []
const server = new Server({
  port: Number(process.env.PORT),
  address: '127.0.0.1',
  quiet: true,
  extensions,
})
await server.listen()
