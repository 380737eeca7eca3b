package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/hydrant-go/hydrant/server/conformance"
)

const head = `# Conformance

What is known of the answers of Amazon Data Firehose, as %d cases, run by the AWS SDK for Go without retries:

| | local Firehose | moto 5.2 |
|---|---|---|
| **all cases** | **%s** | **%s** |
%s
Made by

    go run ./server/conformance/score

A case says what a source has: captures of AWS that others have published, AWS's model of the API, its guides. Where a source
has the code of an error and not its words, the words are not compared. Nothing here was run against AWS itself, and the
sources' notes, not the captures, were read. Where a source reads "words of AWS, package …", the comments of that package are
the record of what AWS was seen to answer. The local Firehose was written from the same sources; moto was not. So this
compares both with the sources and is no measure of either against AWS. The tags of the sources stand for: GO, BOTO,
SMITHY the SDKs' models; DG23, DG-new the developer guide; STACKD, FLOCI, LSSNAP, BLOG-KR, PREFLIGHT what others saw of AWS; CDK the
CDK's source; PROBE the SDK watched at work.

moto does not claim all of this. Its source says that it ignores the size and number of records, that destinations'
parameters are hardly checked, that puts are bare bones, and that Encrypted is always false. It does not check signatures
unless told to, and does not say that it converts, partitions, processes or compresses records. It delivers each call at once
under keys of its own form, so cases of delivery need no flush there; for the local Firehose ` + "`POST /_hydrant/flush`" + ` delivers.
For the sake of the other areas, look at each by itself.

| area | case | source | local Firehose | moto 5.2 |
|---|---|---|---|---|
`

// page is docs/CONFORMANCE.md. theirs is empty where there was no moto.
func page(ours, theirs []conformance.Result) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, head, len(ours), passed(ours), passed(theirs), areas(ours, theirs))
	for i, r := range ours {
		moto := "not run"
		if theirs != nil {
			moto = cell(theirs[i].Err)
		}
		mine := cell(r.Err)
		if r.Err != nil && r.Known != "" {
			mine += "; known: " + escape(r.Known)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.Area, escape(r.Name), escape(r.Source), mine, moto)
	}
	return b.Bytes()
}

// areas is a row for each area.
func areas(ours, theirs []conformance.Result) string {
	var b strings.Builder
	for i := 0; i < len(ours); {
		end := i
		for end < len(ours) && ours[end].Area == ours[i].Area {
			end++
		}
		moto := "not run"
		if theirs != nil {
			moto = passed(theirs[i:end])
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", ours[i].Area, passed(ours[i:end]), moto)
		i = end
	}
	return b.String()
}

func passed(results []conformance.Result) string {
	if results == nil {
		return "not run"
	}
	n := 0
	for _, r := range results {
		if r.Err == nil {
			n++
		}
	}
	return fmt.Sprintf("%d of %d", n, len(results))
}

func cell(err error) string {
	if err == nil {
		return "pass"
	}
	return escape(brief(err))
}

// briefRunes is how much of an error is shown.
const briefRunes = 140

// changing is what differs from run to run.
var changing = []struct {
	*regexp.Regexp
	name string
}{
	{regexp.MustCompile(`c\d{3}-[a-z0-9]{6}`), "STREAM"},
	{regexp.MustCompile(`\d{4}/\d\d/\d\d/\d\d/`), "HOUR/"},
	{regexp.MustCompile(`\d{4}(-\d\d){5}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "TIME-UUID"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\b\d{10}\.\d+`), "TIME"},
}

// brief is an error in one short line, the same in each run.
func brief(err error) string {
	line := strings.Join(strings.Fields(err.Error()), " ")
	for _, each := range changing {
		line = each.ReplaceAllString(line, each.name)
	}
	text := []rune(line)
	if len(text) > briefRunes {
		return string(text[:briefRunes]) + "…"
	}
	return string(text)
}

func escape(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`).Replace(s)
}
