// Package server is an http.Handler that speaks the API of Amazon Data Firehose
// (awsJson1_1, service 2015-08-04) and the part of CloudWatch that reads a
// stream's metrics. It checks signatures, forms and constraints, and words
// errors as AWS does; what the calls do is a [Backend]'s matter.
package server

import "strings"

func bucketName(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
