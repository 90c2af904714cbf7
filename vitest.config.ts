import { defineConfig } from 'vitest/config'

// Sized for two cores. What kills processes and measures time runs last, one file after the other; nothing else depends on quiet.
export default defineConfig({
  test: {
    reporters: ['default', './test/support/reporter.ts'],
    // What is awaited comes at once, but on a machine that stands still for a second not within that second.
    expect: { poll: { timeout: 10_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{contracts,services,test}/**/*.test.ts'],
          exclude: ['test/{journeys,clients,faults,deploy}/**', 'test/cluster/short.test.ts'],
          testTimeout: 15_000,
          hookTimeout: 15_000,
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: 'journeys',
          include: ['test/{journeys,clients}/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'deploy',
          include: ['test/deploy/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          // Mostly waits for a process to come back, so it shares its time with the journeys.
          name: 'kills',
          include: ['test/faults/telemetry.test.ts'],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          exclude: ['test/faults/telemetry.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 30_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'cluster',
          include: ['test/cluster/short.test.ts'],
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
