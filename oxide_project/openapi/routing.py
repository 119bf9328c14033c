from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view, inline_serializer
from rest_framework import serializers

from oxide_project.openapi.shapes import answers, refine
from routing.serializers import RuleSerializer
from routing.views import RuleViewSet

RULE = OpenApiExample(
    "A rule",
    {
        "task_type": "code_generation",
        "service": "openrouter",
        "model": "anthropic/claude-3.5-sonnet",
        "priority": 1,
    },
    request_only=True,
)


def document() -> None:
    refine("Rule", additionalProperties=False)
    listed = inline_serializer(
        "RuleList",
        {
            "rules": RuleSerializer(many=True),
            "default": serializers.ListField(
                child=serializers.CharField(), help_text="The services that are asked after the rules, in their order."
            ),
        },
    )
    rule = OpenApiResponse(RuleSerializer)
    extend_schema_view(
        list=extend_schema(summary="All rules", responses={**answers({}), 200: OpenApiResponse(listed)}),
        retrieve=extend_schema(summary="One rule", responses={**answers({}, 404), 200: rule}),
        create=extend_schema(summary="Make a rule", responses={**answers({}, 413, 415), 201: rule}, examples=[RULE]),
        update=extend_schema(summary="Replace a rule", responses={**answers({}, 404, 413, 415), 200: rule}),
        partial_update=extend_schema(summary="Change a rule", responses={**answers({}, 404, 413, 415), 200: rule}),
        destroy=extend_schema(summary="Remove a rule", responses=answers({204: None}, 404)),
    )(RuleViewSet)
