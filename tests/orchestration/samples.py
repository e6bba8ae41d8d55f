"""Agents that several tests of this room run. Their models answer as each test scripts them."""

from __future__ import annotations


def agent(name: str, nodes: str, *, inputs: str = "{}", more: str = "") -> str:
    """A document in YAML: nodes are indented by four, `inputs` is the schema's properties."""
    return f"""
apiVersion: agentflow.io/v1
kind: Agent
metadata: {{name: {name}}}
spec:
  inputs: {{type: object, properties: {inputs}}}
  {more}
  nodes:
{nodes}
"""


TRIAGE = """
apiVersion: agentflow.io/v1
kind: Agent
metadata:
  name: support-triage
  description: Sorts tickets ✉ and drafts replies.
  labels: {team: support}
spec:
  inputs:
    type: object
    required: [body]
    properties:
      subject: {type: string, default: ""}
      body: {type: string}
  defaults: {llm: {model: scripted-1}}
  nodes:
    classify:
      kind: ai.chat
      description: What is it?
      with: {prompt: "label {{input.body}}"}
    route:
      kind: logic.switch
      with:
        cases: {bug: "{{classify.output.text == 'bug'}}"}
        default: other
    file_bug:
      kind: ai.chat
      after: [route.bug]
      with: {prompt: "file {{input.body}}"}
    draft:
      kind: ai.chat
      after: [route.other]
      with: {prompt: "draft {{input.body}}"}
    done:
      kind: logic.merge
      join: any
      with: {from: [file_bug, draft]}
  outputs: {label: "{{classify.output.text}}", answer: "{{done.output.text}}"}
"""
"""Labelled by its body: a body with `bug` in it is filed, anything else gets a draft."""
