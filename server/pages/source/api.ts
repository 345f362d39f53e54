// Asking the server: every call with the access token of the session, errors in its own words.

import { accessToken } from './session'

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly facts: Record<string, unknown> = {},
  ) {
    super(message)
  }
}

interface Asked {
  body?: unknown
  token?: string | null
  headers?: Record<string, string>
}

/** The answer as the server sent it; raises ApiError for what is no success. */
export async function fetched(method: string, path: string, asked: Asked = {}): Promise<Response> {
  const token = asked.token === undefined ? await accessToken() : asked.token
  const headers: Record<string, string> = { Accept: 'application/json', ...asked.headers }
  if (token) headers.Authorization = `Bearer ${token}`
  let body: BodyInit | undefined
  if (asked.body instanceof FormData || asked.body instanceof Blob) body = asked.body
  else if (asked.body !== undefined) {
    body = JSON.stringify(asked.body)
    headers['Content-Type'] = 'application/json'
  }
  let answer: Response
  try {
    answer = await fetch(path, { method, headers, body, credentials: 'same-origin', cache: 'no-store' })
  } catch {
    throw new ApiError(0, 'offline', 'The server cannot be reached.')
  }
  if (answer.ok) return answer
  throw await errorOf(answer)
}

export async function errorOf(answer: Response): Promise<ApiError> {
  const said = (await answer.json().catch(() => ({}))) as Record<string, unknown>
  const code = typeof said.error === 'string' ? said.error : `status_${answer.status}`
  const text = typeof said.message === 'string' ? said.message : `The server answered ${answer.status}.`
  return new ApiError(answer.status, code, text[0]!.toUpperCase() + text.slice(1), said)
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Json = any

export async function get(path: string): Promise<Json> {
  return (await fetched('GET', path)).json()
}

export async function post(path: string, body: unknown = {}, token?: string | null): Promise<Json> {
  return (await fetched('POST', path, { body, token })).json()
}

export async function patch(path: string, body: unknown): Promise<Json> {
  return (await fetched('PATCH', path, { body })).json()
}

export async function remove(path: string, body?: unknown): Promise<Json> {
  return (await fetched('DELETE', path, { body })).json()
}
