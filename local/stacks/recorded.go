package stacks

import (
	"strings"

	"github.com/google/uuid"
)

// The types that are only recorded: they have names, ARNs and ids such as AWS gives
// them, and that is all. The same name may be used by two stacks, which AWS refuses.

var bucketPolicyKind = &kind{
	recorded: true, properties: strings.Fields("Bucket PolicyDocument"), required: strings.Fields("Bucket PolicyDocument"),
	named: "Bucket", createOnly: strings.Fields("Bucket"),
}

var roleKind = &kind{
	recorded: true, named: "RoleName", longest: 64,
	properties: strings.Fields(`AssumeRolePolicyDocument Description ManagedPolicyArns MaxSessionDuration Path PermissionsBoundary Policies
		RoleName Tags`),
	required: strings.Fields("AssumeRolePolicyDocument"), createOnly: strings.Fields("Path RoleName"),
	attributes: map[string]func(*request) string{
		"Arn":    func(q *request) string { return global(q.Caller, "iam", "role"+path(q)+q.r.Physical) },
		"RoleId": func(q *request) string { return hashed("AROA", q) },
	},
}

var policyKind = &kind{
	recorded: true, longest: 64,
	properties: strings.Fields("Groups PolicyDocument PolicyName Roles Users"), required: strings.Fields("PolicyDocument PolicyName"),
	attributes: map[string]func(*request) string{"Id": func(q *request) string { return q.r.Physical }},
}

var managedPolicyKind = &kind{
	recorded: true, named: "ManagedPolicyName", longest: 128,
	physical:   func(t *kind, q *request) string { return global(q.Caller, "iam", "policy"+path(q)+t.name(q)) },
	properties: strings.Fields("Description Groups ManagedPolicyName Path PolicyDocument Roles Users"),
	required:   strings.Fields("PolicyDocument"), createOnly: strings.Fields("Description ManagedPolicyName Path"),
	attributes: map[string]func(*request) string{
		"PolicyArn": func(q *request) string { return q.r.Physical },
		"PolicyId":  func(q *request) string { return hashed("ANPA", q) },
	},
}

var alarmKind = &kind{
	recorded: true, named: "AlarmName", longest: 255, createOnly: strings.Fields("AlarmName"),
	properties: strings.Fields(`ActionsEnabled AlarmActions AlarmDescription AlarmName ComparisonOperator DatapointsToAlarm Dimensions
		EvaluateLowSampleCountPercentile EvaluationCriteria EvaluationInterval EvaluationPeriods ExtendedStatistic InsufficientDataActions
		MetricName Metrics Namespace OKActions Period Statistic Tags Threshold ThresholdMetricId TreatMissingData Unit`),
	attributes: map[string]func(*request) string{
		"Arn": func(q *request) string { return q.ARN("cloudwatch", "alarm:"+q.r.Physical) },
	},
}

var dashboardKind = &kind{
	recorded: true, named: "DashboardName", longest: 255, createOnly: strings.Fields("DashboardName"),
	properties: strings.Fields("DashboardBody DashboardName"), required: strings.Fields("DashboardBody"),
}

var keyKind = &kind{
	recorded: true,
	properties: strings.Fields(`BypassPolicyLockoutSafetyCheck Description EnableKeyRotation Enabled KeyPolicy KeySpec KeyUsage MultiRegion
		Origin PendingWindowInDays RotationPeriodInDays Tags`),
	physical: func(*kind, *request) string { return uuid.NewString() },
	attributes: map[string]func(*request) string{
		"Arn":   func(q *request) string { return q.ARN("kms", "key/"+q.r.Physical) },
		"KeyId": func(q *request) string { return q.r.Physical },
	},
}

var functionKind = &kind{
	recorded: true, named: "FunctionName", longest: 64,
	properties: strings.Fields(`Architectures CapacityProviderConfig Code CodeSigningConfigArn DeadLetterConfig Description DurableConfig
		Environment EphemeralStorage FileSystemConfigs FunctionName FunctionScalingConfig Handler ImageConfig KmsKeyArn Layers LoggingConfig
		MemorySize PackageType PublishToLatestPublished RecursiveLoop ReservedConcurrentExecutions Role Runtime RuntimeManagementConfig
		SnapStart Tags TenancyConfig Timeout TracingConfig VpcConfig`),
	required: strings.Fields("Code Role"), createOnly: strings.Fields("FunctionName PackageType TenancyConfig"),
	attributes: map[string]func(*request) string{
		"Arn": func(q *request) string { return q.ARN("lambda", "function:"+q.r.Physical) },
	},
}

var metadataKind = &kind{
	recorded: true,
	physical: func(*kind, *request) string { return uuid.NewString() },
}

// path is that of an IAM resource, which begins and ends with a slash.
func path(q *request) string {
	if p := q.text("Path"); p != "" {
		return p
	}
	return "/"
}
