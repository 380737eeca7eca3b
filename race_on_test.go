//go:build race

package hydrant_test

const raceDetector = true
