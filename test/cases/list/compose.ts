/** Cases of compose. */
import { define, get, json } from "../case.ts";

const file = (value: object): Record<string, string> => ({
  ".devcontainer/devcontainer.json": json({
    dockerComposeFile: "compose.yml",
    service: "app",
    workspaceFolder: "/workspace",
    ...value,
  }),
});
const app = (
  more: string,
  image = "mcr.microsoft.com/devcontainers/base:debian",
) =>
  `services:\n  app:\n    image: ${image}\n    command: sleep infinity\n    volumes: ["..:/workspace:cached"]\n${more}`;
const connects = (host: string, port: number): string =>
  `perl -MIO::Socket::INET -e 'IO::Socket::INET->new(PeerAddr => "${host}", PeerPort => ${String(port)}, Timeout => 5) or exit 1; print "connected"'`;
const postgres = `  db:
    image: postgres:16-alpine
    environment: {POSTGRES_USER: app, POSTGRES_PASSWORD: secret, POSTGRES_DB: shop}
    healthcheck: {test: ["CMD-SHELL", "pg_isready -U app -d shop"], interval: 1s, timeout: 5s, retries: 60}
    volumes: ["data:/var/lib/postgresql/data"]
`;
/** Redis by hand: asks PING. */
const ping = (host: string): string =>
  `perl -MIO::Socket::INET -e 'for (1..50) { my $s = IO::Socket::INET->new(PeerAddr => "${host}", PeerPort => 6379, Timeout => 5); if ($s) { print $s "PING\\r\\n"; print scalar <$s>; exit 0 } select(undef, undef, undef, 0.2) } exit 1'`;

export const composeCases = define(
  {
    name: "sidecar-healthcheck",
    about: "a database beside it, waited for until healthy, a port of its own",
    files: {
      ...file({ forwardPorts: [3000, "db:5432"], remoteUser: "vscode" }),
      ".devcontainer/compose.yml": `${app(
        "    depends_on: {db: {condition: service_healthy}}\n    environment: {DATABASE_URL: postgres://app:secret@db/shop}\n",
      )}${postgres}volumes: {data: {}}\n`,
    },
    expected: {
      user: "vscode",
      workspaceFolder: "/workspace",
      env: { DATABASE_URL: "postgres://app:secret@db/shop" },
      forwardPorts: [3000, "db:5432"],
      checks: [
        {
          what: "the database",
          run: connects("db", 5432),
          prints: "connected",
        },
      ],
    },
  },
  {
    name: "network-of-service",
    about: "network_mode service: of the database",
    files: {
      ...file({ forwardPorts: [5432] }),
      ".devcontainer/compose.yml": `${app("    network_mode: service:db\n    depends_on: {db: {condition: service_healthy}}\n")}${postgres}    restart: unless-stopped\nvolumes: {data: {}}\n`,
    },
    expected: {
      user: "vscode",
      workspaceFolder: "/workspace",
      checks: [
        {
          what: "the database on localhost",
          run: connects("localhost", 5432),
          prints: "connected",
        },
      ],
    },
  },
  {
    name: "compose-externals",
    about:
      "a network and a volume that initializeCommand makes where there is an engine",
    files: {
      ...file({
        initializeCommand:
          "docker network create shared-net || true; docker volume create shared-data || true",
      }),
      ".devcontainer/compose.yml": `${app(
        "    networks: [default, shared]\n",
      ).replace(
        '["..:/workspace:cached"]',
        '["..:/workspace:cached", "data:/data"]',
      )}networks:
  shared: {name: shared-net, external: true}
volumes:
  data: {name: shared-data, external: true}
`,
    },
    expected: {
      user: "vscode",
      workspaceFolder: "/workspace",
      mounts: ["/data"],
    },
  },
  {
    name: "compose-env-files",
    about: "env_file in lists, .env beside the compose file, defaults",
    files: {
      ...file({}),
      ".devcontainer/.env": "VERSION=7\nNAME=from dot env\n",
      ".devcontainer/one.env": "ONE=1\nSHARED=one\n",
      "two.env": "TWO=it's two\nSHARED=two\n",
      ".devcontainer/compose.yml": app(
        "    env_file: [one.env, ../two.env]\n    environment:\n      - NAME\n      - LEVEL=${LEVEL:-info}\n      - NUMBER=${VERSION}\n",
      ),
    },
    expected: {
      user: "vscode",
      workspaceFolder: "/workspace",
      env: {
        ONE: "1",
        TWO: "it's two",
        SHARED: "two",
        NAME: "from dot env",
        LEVEL: "info",
        NUMBER: "7",
      },
    },
  },
  {
    name: "compose-build",
    about: "build with context above, arguments and a target",
    files: {
      ...file({ remoteUser: "node" }),
      ".devcontainer/compose.yml": `services:
  app:
    build: {context: .., dockerfile: .devcontainer/Dockerfile, target: dev, args: {WHO: compose}}
    command: sleep infinity
    volumes: ["..:/workspace"]
    init: true
`,
      ".devcontainer/Dockerfile":
        "FROM node:20-bookworm AS dev\nARG WHO\nCOPY above.txt /opt/\nRUN echo $WHO > /opt/who\nFROM dev AS last\nRUN exit 1\n",
      "above.txt": "above\n",
    },
    expected: {
      user: "node",
      workspaceFolder: "/workspace",
      files: { "/opt/above.txt": "above", "/opt/who": "compose" },
    },
  },
  {
    name: "compose-features",
    about: "features on top of a service's image, mounts of theirs",
    files: {
      ...file({
        remoteUser: "vscode",
        features: { "ghcr.io/devcontainers/features/docker-in-docker:2": {} },
        containerEnv: { FROM_FILE: "x y" },
        postCreateCommand: "echo created > /tmp/created",
      }),
      ".devcontainer/compose.yml": app(""),
    },
    expected: {
      user: "vscode",
      workspaceFolder: "/workspace",
      mounts: ["/var/lib/docker"],
      files: {
        "/usr/local/share/feature-marks/docker-in-docker": /2\.3\.1/,
        "/tmp/created": "created",
      },
      checks: [
        {
          what: "entrypoint",
          run: "test -s /usr/local/share/feature-marks/docker-in-docker.started",
        },
      ],
    },
  },
  {
    name: "compose-own-command",
    about: "a service's own command and entrypoint stay, ports are published",
    files: {
      ...file({ service: "web" }),
      ".devcontainer/compose.yml": `services:
  web:
    image: node:22
    working_dir: /workspace
    entrypoint: ["/bin/sh", "-c"]
    command: ["echo own > /tmp/own; exec node server.js"]
    volumes: ["..:/workspace"]
    ports: ["127.0.0.1:8181:3000"]
`,
      "server.js":
        "require('http').createServer((_, r) => r.end('own command')).listen(3000)\n",
    },
    expected: {
      workspaceFolder: "/workspace",
      files: { "/tmp/own": "own" },
      checks: [
        {
          what: "port 3000",
          run: get("localhost", 3000),
          prints: "own command",
        },
      ],
      published: { 8181: "own command" },
    },
  },
  {
    name: "compose-override-command",
    about: "a command that ends at once, overridden",
    files: {
      ...file({ overrideCommand: true }),
      ".devcontainer/compose.yml":
        'services:\n  app:\n    image: debian:12\n    command: "true"\n    volumes: ["..:/workspace"]\n',
    },
    expected: { workspaceFolder: "/workspace" },
  },
  {
    name: "run-services",
    about: "some services of several, a profile left out",
    files: {
      ...file({ runServices: ["cache"], shutdownAction: "none" }),
      ".devcontainer/compose.yml": `${app("    networks: [inner]\n")}  cache:
    image: redis:7
    networks: {inner: {aliases: [memory]}}
  never:
    image: ghcr.io/acme/no-such:1
  tools:
    image: ghcr.io/acme/no-such:2
    profiles: [tools]
networks: {inner: {}}
`,
    },
    expected: {
      user: "vscode",
      workspaceFolder: "/workspace",
      checks: [
        { what: "redis by its name", run: ping("cache"), prints: "+PONG" },
        { what: "redis by its alias", run: ping("memory"), prints: "+PONG" },
      ],
    },
  },
  {
    name: "compose-extends",
    about: "extends of another file, a folder of its own for compose files",
    files: {
      ".devcontainer/devcontainer.json": json({
        dockerComposeFile: ["../deploy/base.yml", "../deploy/dev.yml"],
        service: "app",
        workspaceFolder: "/workspaces/${localWorkspaceFolderBasename}",
      }),
      "deploy/common.yml":
        "services:\n  common:\n    image: debian:12\n    environment: {COMMON: shared}\n",
      "deploy/base.yml":
        "services:\n  app:\n    extends: {file: common.yml, service: common}\n    environment: {ROLE: production}\n",
      "deploy/dev.yml":
        "services:\n  app:\n    environment: {ROLE: development}\n    command: sleep infinity\n    volumes: ['..:/workspaces/compose-extends']\n",
    },
    expected: {
      workspaceFolder: "/workspaces/compose-extends",
      env: { COMMON: "shared", ROLE: "development" },
    },
  },
  {
    name: "compose-secrets",
    about: "compose's own secrets and configs",
    files: {
      ...file({}),
      ".devcontainer/secret.txt": "hush\n",
      ".devcontainer/compose.yml": `${app("    secrets: [token]\n    tmpfs: [/ram]\n    extra_hosts: ['somewhere:10.9.8.7']\n")}secrets: {token: {file: secret.txt}}\n`,
    },
    expected: {
      user: "vscode",
      workspaceFolder: "/workspace",
      files: { "/run/secrets/token": "hush" },
      mounts: ["/ram"],
      checks: [
        {
          what: "host",
          run: "grep somewhere /etc/hosts",
          prints: /^10\.9\.8\.7/,
        },
      ],
    },
  },
  {
    name: "compose-unhealthy",
    about: "a service beside it that never becomes healthy",
    files: {
      ...file({}),
      ".devcontainer/compose.yml": `${app("    depends_on: {sick: {condition: service_healthy}}\n")}  sick:
    image: debian:12
    command: sleep infinity
    healthcheck: {test: ["CMD", "false"], interval: 1s, retries: 2}
`,
    },
    expected: { fails: /compose/ },
  },
);
