class OxideClient {
  constructor(private baseUrl: string = 'http://localhost:8000') {}

  async executeTask(
    prompt: string,
    taskType: string = 'general',
    options: any = {}
  ): Promise<any> {
    const response = await fetch(`${this.baseUrl}/api/tasks/execute/`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
      },
      body: JSON.stringify({
        prompt,
        task_type: taskType,
        ...options,
      }),
    });

    return response.json();
  }
}

// Usage
const client = new OxideClient();
const result = await client.executeTask(
  'Explain quantum computing',
  'question_answer'
);
